//! Files that are no honest model are refused before ONNX Runtime sees them; honest ones are loaded once.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::{Arc, Barrier};

use firesteel_engine::model::{ElementType, OnnxModel, onnx_model, onnx_proto, registry};
use model_support::{bytes, features, model, scorer, start};

#[test]
fn external_data_and_memory_addresses_are_refused_by_name() {
    for (name, condition, part) in [
        ("external", "MODEL_EXTERNAL_DATA", "`weights`"),
        ("external_in_subgraph", "MODEL_EXTERNAL_DATA", "`weights`, `weights`"),
        ("memory_address", "MODEL_MEMORY_ADDRESS", "`weights`"),
    ] {
        let error = onnx_proto::inspect(&bytes(name)).unwrap_err();
        assert_eq!(error.condition, condition, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn other_formats_are_refused() {
    for (bytes, condition) in [
        (&b""[..], "MODEL_MALFORMED"),
        (b"PK\x03\x04 a zip file", "MODEL_MALFORMED"),
        (b"\x18\0\0\0ORTM....", "MODEL_FORMAT"),
        (b"\x80\x04\x95 a pickle", "MODEL_MALFORMED"),
        // A message without a graph.
        (b"\x08\x08", "MODEL_MALFORMED"),
    ] {
        assert_eq!(onnx_proto::inspect(bytes).unwrap_err().condition, condition, "{bytes:?}");
    }
}

#[test]
fn damaged_files_never_panic() {
    let good = bytes("lr_zipmap");
    for cut in 0..good.len() {
        // A cut between two fields of the outermost message may leave a readable file; reading must end either way.
        let _ = onnx_proto::inspect(&good[..cut]);
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..20_000 {
        let mut damaged = good.clone();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state % damaged.len() as u64) as usize;
            damaged[at] = (state >> 32) as u8;
        }
        let _ = onnx_proto::inspect(&damaged);
    }
}

#[test]
fn graphs_nested_too_deep_are_refused() {
    // graph { node { attribute { g { ... } } } }, wrapped from inside out.
    let wrap = |number: u8, inner: &[u8]| {
        let mut out = vec![number << 3 | 2];
        let mut length = inner.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(inner);
        out
    };
    let mut graph = Vec::new();
    for _ in 0..2000 {
        graph = wrap(1, &wrap(5, &wrap(6, &graph)));
    }
    let mut file = vec![0x08, 0x08];
    file.extend(wrap(7, &graph));
    assert_eq!(onnx_proto::inspect(&file).unwrap_err().condition, "MODEL_TOO_DEEP");
}

#[test]
fn a_custom_operator_is_reported_with_its_domain() {
    start();
    let error = registry::load(&bytes("custom_operator")).unwrap_err();
    assert_eq!(error.condition, "MODEL_REFUSED");
    assert!(error.message.contains("com.example"), "{error}");
    assert!(!registry::contains(&onnx_model::sha256(&bytes("custom_operator"))));
}

#[test]
fn the_file_says_who_made_it_and_its_labels() {
    let summary = onnx_proto::inspect(&bytes("lr_zipmap")).unwrap();
    assert_eq!(summary.producer_name, "skl2onnx");
    assert!(summary.opsets.contains(&(String::new(), 17)), "{:?}", summary.opsets);
    assert_eq!(summary.labels["output_probability"], ["fraud", "ok"]);
    assert!(summary.custom_domains.is_empty());
    assert_eq!(onnx_proto::inspect(&bytes("gbdt")).unwrap().labels["probabilities"], ["0", "1"]);
    assert_eq!(onnx_proto::inspect(&bytes("lr_three_zipmap")).unwrap().labels["output_probability"], ["7", "8", "9"]);
}

#[test]
fn zipmap_becomes_a_plain_tensor_of_the_same_name() {
    for (name, output, classes) in [
        ("lr_zipmap", "output_probability", 2),
        ("lr_three_zipmap", "output_probability", 3),
        ("gbdt_zipmap", "probabilities", 2),
    ] {
        let model = model(name);
        let found = model.outputs().iter().find(|description| description.name == output).unwrap();
        assert_eq!(
            (found.element, found.shape.clone()),
            (Some(ElementType::Float32), vec![None, Some(classes)]),
            "{name}"
        );
    }
}

#[test]
fn one_content_is_loaded_once_also_by_many_threads() {
    start();
    let bytes = bytes("random_forest");
    registry::unload(&onnx_model::sha256(&bytes));
    let barrier = Barrier::new(8);
    let models: Vec<_> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    registry::load(&bytes).unwrap()
                })
            })
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert!(models.iter().all(|model| Arc::ptr_eq(model, &models[0])));
    let sha = models[0].sha256();
    assert!(registry::contains(&sha.to_uppercase()));
    assert!(registry::get("00").is_none());
}

#[test]
fn tasks_at_the_same_time_share_a_session_and_get_the_same_bits() {
    // ONNX Runtime's, not our kernel.
    let model = Arc::new(OnnxModel::load_plain(&bytes("gbdt_sklearn")).unwrap());
    let batch = features(2000);
    let barrier = Barrier::new(6);
    let results: Vec<_> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let mut scorer = scorer(
                        &model,
                        &batch,
                        &[("p", "probabilities[1]")],
                        firesteel_engine::model::NullPolicy::Reject,
                    )
                    .unwrap();
                    barrier.wait();
                    (0..5).map(|_| scorer.process(batch.clone()).unwrap().kept).collect::<Vec<_>>()
                })
            })
            .collect();
        tasks.into_iter().flat_map(|task| task.join().unwrap()).collect()
    });
    assert!(results.iter().all(|result| *result == results[0]));
    assert_eq!(model.sessions(), 1);
}
