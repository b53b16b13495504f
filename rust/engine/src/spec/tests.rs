//! The file as a whole: what is taken, what is refused, and where faults are said to be.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::error::Place;

const GOOD: &str = r#"name: card-fraud
input:
  format: json
  schema: transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, terminal_id BIGINT, amount DOUBLE
clean:
  - require: [transaction_id, ts, customer_id, amount]
  - check: amount > 0 AND amount < 1e6
  - fill: {terminal_id: -1}
features:
  amount_log: ln(1 + amount)
  is_weekend: dayofweek(ts) IN (1, 7)
  one: 1
models:
  - name: fraud
    uri: models/fraud.onnx        # relative to this file
    inputs: {x: [amount_log, amount], y: is_weekend}
    outputs: {score: "probabilities[1]"}
output: [transaction_id, {customer: customer_id}, score]
"#;

/// Condition, line, column and path of each fault of a file.
fn faults(yaml: &str) -> Vec<(&'static str, u32, u32, String)> {
    let errors = PipelineSpec::from_yaml(yaml, "p.yaml").unwrap_err().0;
    errors.into_iter().map(|e| (e.condition, e.place.line, e.place.column, e.path)).collect()
}

#[test]
fn reads_the_whole_file() {
    let spec = PipelineSpec::from_yaml(GOOD, "p.yaml").unwrap();
    assert_eq!(spec.name, "card-fraud");
    assert_eq!(spec.input.max_record_bytes, 16 << 20);
    assert_eq!(spec.clean.len(), 3);
    let CleanRule::Fill(values) = &spec.clean[2] else { panic!("{:?}", spec.clean[2]) };
    assert_eq!(values["terminal_id"], Literal::Integer(-1));
    assert_eq!(spec.features.keys().collect::<Vec<_>>(), ["amount_log", "is_weekend", "one"]);
    assert_eq!(spec.features["one"], "1");
    assert_eq!(spec.models[0].inputs["x"], ["amount_log", "amount"]);
    assert_eq!(spec.models[0].inputs["y"], ["is_weekend"]);
    assert_eq!(spec.output[1], OutputColumn { name: "customer".into(), column: "customer_id".into() });
}

#[test]
fn json_round_trip_is_a_fixed_point() {
    let spec = PipelineSpec::from_yaml(GOOD, "p.yaml").unwrap();
    let json = spec.to_json();
    assert_eq!(PipelineSpec::from_json(&json).unwrap().to_json(), json);
    // Layout does not matter to the canonical form.
    let relaid = GOOD.replace("transaction_id BIGINT,", "transaction_id   long ,");
    assert_eq!(PipelineSpec::from_yaml(&relaid, "q.yaml").unwrap().to_json(), json);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name_all_at_once() {
    let yaml = GOOD.replace("format: json", "fromat: json").replace("outputs:", "output:").replace("clean:", "clena:");
    let errors = PipelineSpec::from_yaml(&yaml, "p.yaml").unwrap_err();
    let seen: Vec<_> = errors.0.iter().map(|e| (e.condition, e.place, e.hint.clone().unwrap())).collect();
    let place = |line, column| Place { line, column };
    assert_eq!(
        seen,
        [
            ("UNKNOWN_KEY", place(3, 3), "did you mean format?".to_owned()),
            ("UNKNOWN_KEY", place(5, 1), "did you mean clean?".to_owned()),
            ("UNKNOWN_KEY", place(17, 5), "did you mean outputs?".to_owned()),
        ]
    );
    assert_eq!(
        errors.0[0].to_string(),
        "p.yaml:3:3: UNKNOWN_KEY: input.fromat: unknown key fromat (did you mean format?)"
    );
}

#[test]
fn a_fault_in_the_ddl_has_its_own_column() {
    let yaml = GOOD.replace("customer_id BIGINT, terminal_id", "customer_id BIGIN, terminal_id");
    assert_eq!(faults(&yaml), [("BAD_SCHEMA", 4, 60, "input.schema".to_owned())]);
}

#[test]
fn a_fault_in_a_folded_ddl_has_its_line() {
    let yaml = GOOD.replace(
        "schema: transaction_id BIGINT, ts TIMESTAMP, customer_id BIGINT, terminal_id BIGINT, amount DOUBLE",
        "schema: >-\n    transaction_id BIGINT, ts TIMESTAMP,\n    customer_id BIGINT,\n    terminal_id BIGINTT, amount DOUBLE",
    );
    assert_eq!(faults(&yaml), [("BAD_SCHEMA", 7, 17, "input.schema".to_owned())]);
}

#[test]
fn semantic_faults_have_places() {
    let yaml = GOOD
        .replace("[transaction_id, ts, customer_id, amount]", "[transaction_id, tss]")
        .replace("  one: 1", "  amount: 1")
        .replace("\"probabilities[1]\"", "\"probabilities[x]\"")
        .replace("customer_id}, score]", "customer_idd}, scor]");
    assert_eq!(
        faults(&yaml),
        [
            ("UNKNOWN_COLUMN", 6, 31, "clean[0].require[1]".to_owned()),
            ("DUPLICATE_NAME", 12, 11, "features.amount".to_owned()),
            ("BAD_SELECTOR", 17, 22, "models[0].outputs.score".to_owned()),
            ("UNKNOWN_COLUMN", 18, 26, "output[1]".to_owned()),
            ("UNKNOWN_COLUMN", 18, 52, "output[2]".to_owned()),
        ]
    );
}

#[test]
fn a_place_inside_an_expression_becomes_a_place_in_the_file() {
    let spec = PipelineSpec::from_yaml(GOOD, "p.yaml").unwrap();
    let mut error = SpecError::new("UNKNOWN_COLUMN", "features.amount_log", "x");
    error.place = Place { line: 1, column: 8 };
    let located = spec.locate(error);
    assert_eq!((located.file.as_str(), located.place), ("p.yaml", Place { line: 10, column: 22 }));
    let mut error = SpecError::new("BAD_EXPRESSION", "clean[1].check", "x");
    error.place = Place { line: 1, column: 12 };
    assert_eq!(spec.locate(error).place, Place { line: 7, column: 23 });
}

#[test]
fn missing_keys_wrong_types_and_duplicates() {
    assert_eq!(
        faults("name: x\n"),
        [("MISSING_KEY", 1, 1, "input".to_owned()), ("MISSING_KEY", 1, 1, "output".to_owned())]
    );
    let yaml = "name: [x]\ninput:\n  schema:\nfeatures: 3\noutput: id\n";
    let conditions: Vec<_> = faults(yaml).into_iter().map(|f| (f.0, f.1)).collect();
    assert_eq!(conditions, [("WRONG_TYPE", 1), ("WRONG_TYPE", 3), ("WRONG_TYPE", 4), ("WRONG_TYPE", 5)]);
    let twice = faults(&GOOD.replace("  one: 1", "  amount_log: 1"));
    assert_eq!((twice[0].0, twice[0].1), ("DUPLICATE_KEY", 12));
    assert_eq!(faults("a: [1\nb: 2")[0].0, "BAD_YAML");
    assert_eq!(faults("")[0].0, "WRONG_TYPE");
}

#[test]
fn csv_options_and_limits() {
    let yaml = "name: x\ninput:\n  format: csv\n  schema: a INT\n  csv: {delimiter: \"\\t\", header: true, null: NA}\n  max_depth: 4\noutput: [a]\n";
    let spec = PipelineSpec::from_yaml(yaml, "p.yaml").unwrap();
    let csv = spec.input.csv.clone().unwrap();
    assert_eq!((csv.delimiter, csv.header, csv.null.as_str(), spec.input.max_depth), ('\t', true, "NA", 4));
    assert_eq!(PipelineSpec::from_json(&spec.to_json()).unwrap().to_json(), spec.to_json());
    let wrong = yaml.replace("max_depth: 4", "max_depth: 0").replace("\"\\t\"", "ab");
    let conditions: Vec<_> = faults(&wrong).into_iter().map(|f| (f.0, f.3)).collect();
    assert_eq!(
        conditions,
        [("BAD_VALUE", "input.csv.delimiter".to_owned()), ("BAD_VALUE", "input.max_depth".to_owned())]
    );
}

const AVRO: &str = "name: x
input:
  format: avro
  avro:
    schema_file: a.avsc
    registry: {url: https://r, username: me, password: '${env:P}', timeout_s: 5}
output: [anything]
";

#[test]
fn the_columns_of_binary_formats_may_be_open() {
    let spec = PipelineSpec::from_yaml(AVRO, "p.yaml").unwrap();
    assert!(spec.input.schema.is_open());
    assert_eq!(spec.input.files(), [InputFile { key: "input.avro.schema_file", file: "a.avsc".to_owned() }]);
    assert_eq!(PipelineSpec::from_json(&spec.to_json()).unwrap().to_json(), spec.to_json());
    let json = AVRO.replace("format: avro", "format: json");
    let conditions: Vec<_> = faults(&json).into_iter().map(|f| (f.0, f.3)).collect();
    assert_eq!(conditions, [("MISSING_KEY", "input.schema".to_owned())]);
    let both = AVRO.replace("format: avro", "format: json\n  schema: a INT").replace("[anything]", "[a]");
    assert_eq!(faults(&both), [("BAD_VALUE", 6, 5, "input.avro".to_owned())]);
}

#[test]
fn a_schema_may_be_written_as_yaml() {
    let yaml = AVRO.replace("schema_file: a.avsc", "schema: {type: record, name: r, fields: [{name: a, type: int}]}");
    let spec = PipelineSpec::from_yaml(&yaml, "p.yaml").unwrap();
    let schema = spec.input.avro.unwrap().schema.unwrap();
    assert_eq!(schema, r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}"#);
}

#[test]
fn secrets_are_references_and_are_not_repeated() {
    let literal = AVRO.replace("'${env:P}'", "hunter2");
    let errors = PipelineSpec::from_yaml(&literal, "p.yaml").unwrap_err();
    assert_eq!((errors.0.len(), errors.0[0].path.as_str()), (1, "input.avro.registry.password"));
    assert!(!format!("{errors} {errors:?}").contains("hunter2"));
    let json = PipelineSpec::from_yaml(AVRO, "p.yaml").unwrap().to_json().replace("${env:P}", "hunter2");
    assert!(!format!("{:?}", PipelineSpec::from_json(&json).unwrap_err()).contains("hunter2"));
    let in_address = AVRO.replace("https://r,", "'https://me:hunter2@r',");
    let errors = PipelineSpec::from_yaml(&in_address, "p.yaml").unwrap_err();
    assert!(!format!("{errors} {errors:?}").contains("hunter2"), "{errors}");
}

#[test]
fn the_json_schema_knows_the_same_keys_as_the_reader() {
    let schema = PipelineSpec::json_schema();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value["properties"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(&schema), read::PIPELINE_KEYS);
    let parts = &schema["$defs"];
    assert_eq!(keys(&parts["InputSpec"]), read::INPUT_KEYS);
    assert_eq!(keys(&parts["CsvOptions"]), read::CSV_KEYS);
    assert_eq!(keys(&parts["AvroSpec"]), read_formats::AVRO_KEYS);
    assert_eq!(keys(&parts["RegistrySpec"]), read_formats::REGISTRY_KEYS);
    assert_eq!(keys(&parts["ProtobufSpec"]), read_formats::PROTOBUF_KEYS);
    assert_eq!(keys(&parts["ModelSpec"]), read::MODEL_KEYS);
    assert_eq!(keys(&parts["SampleSpec"]), read_challengers::SAMPLE_KEYS);
    assert_eq!(keys(&parts["Within"]), read_running::BATCH_KEYS);
    let rules: Vec<String> = parts["CleanRule"]["oneOf"].as_array().unwrap().iter().flat_map(keys).collect();
    assert_eq!(rules, read::CLEAN_KEYS);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(parts["ModelSpec"]["additionalProperties"], false);
}

#[test]
fn waiting_for_partitions_needs_windows_a_time_and_a_number() {
    let yaml = |order: &str, windows: &str| {
        format!("name: t\ninput: {{schema: 'k BIGINT, ts TIMESTAMP'}}\norder: {order}\n{windows}output: [k]\n")
    };
    let windows = "windows: [{key: k, time: ts, over: 1 day, compute: {n: count(*)}}]\n";
    let faults = |order: &str, windows: &str| {
        PipelineSpec::from_yaml(&yaml(order, windows), "t.yaml").map_err(|faults| faults.to_string())
    };
    let spec = faults("{by: ts, partitions: 8}", windows).unwrap();
    assert_eq!(spec.order.map(|order| (order.by, order.partitions)), Some(("ts".to_owned(), 8)));
    for (order, blocks, wanted) in [
        ("{by: ts, partitions: 8}", "", "there are no windows"),
        ("{by: t, partitions: 8}", windows, "order.by"),
        ("{by: ts, partitions: 0}", windows, "1 to 1000000 partitions"),
        ("{by: ts}", windows, "partitions"),
        ("ts", windows, "order"),
    ] {
        let found = faults(order, blocks).unwrap_err();
        assert!(found.contains(wanted), "{order}: {found}");
    }
}

#[test]
fn a_model_may_be_kept_from_our_own_kernel() {
    let read = |kernel: &str| {
        let model = format!("{{name: m, uri: m.onnx, outputs: {{s: s}}{kernel}}}");
        let yaml = format!("name: t\ninput: {{schema: 'k BIGINT'}}\nmodels: [{model}]\noutput: [k, s]\n");
        PipelineSpec::from_yaml(&yaml, "t.yaml").map_err(|faults| faults.to_string())
    };
    assert_eq!(read("").unwrap().models[0].kernel, KernelChoice::Auto);
    assert_eq!(read(", kernel: auto").unwrap().models[0].kernel, KernelChoice::Auto);
    let plain = read(", kernel: onnxruntime").unwrap();
    assert_eq!(plain.models[0].kernel, KernelChoice::OnnxRuntime);
    let fault = read(", kernel: fast").unwrap_err();
    assert!(fault.contains("onnxruntime") && fault.contains("kernel"), "{fault}");
}

#[test]
fn a_model_says_where_it_runs_and_with_how_many_rows() {
    let read = |keys: &str| {
        let model = format!("{{name: m, uri: m.onnx, outputs: {{s: s}}{keys}}}");
        let yaml = format!("name: t\ninput: {{schema: 'a INT'}}\nmodels: [{model}]\noutput: [s]\n");
        PipelineSpec::from_yaml(&yaml, "t.yaml").map_err(|faults| faults.to_string())
    };
    let of = |keys: &str| {
        let spec = read(keys).unwrap();
        assert_eq!(PipelineSpec::from_json(&spec.to_json()).unwrap().to_json(), spec.to_json(), "{keys}");
        let model = &spec.models[0];
        (model.device, model.threads, (model.batch_size.min, model.batch_size.max))
    };
    assert_eq!(of(""), (DeviceChoice::Cpu, 1, (64, 4096)));
    assert_eq!(of(", device: cuda, threads: 4, batch_size: 512"), (DeviceChoice::Cuda, 4, (512, 512)));
    assert_eq!(of(", device: auto, batch_size: auto"), (DeviceChoice::Auto, 1, (64, 4096)));
    assert_eq!(of(", batch_size: {max: 32}").2, (32, 32));
    assert_eq!(of(", batch_size: {min: 16, max: 8192}").2, (16, 8192));
    for (keys, wanted) in [
        (", device: gpu", "\"gpu\" is not cpu or cuda or auto"),
        (", threads: 0", "1 to 256 threads"),
        (", threads: all", "a whole number of threads"),
        (", batch_size: 0", "1 to 1048576 rows"),
        (", batch_size: large", "\"large\" is not auto"),
        (", batch_size: {min: 100, max: 10}", "min is 100, and max is 10"),
        (", batch_size: {most: 10}", "most"),
    ] {
        let fault = read(keys).unwrap_err();
        assert!(fault.contains(wanted), "{keys}: {fault}");
    }
}
