//! Confluent's wire format against a registry over HTTP: schemas by id, what happens to unknown ids, and that nothing
//! hangs and no secret shows.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, BinaryArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use firesteel_engine::decode::registry::{Login, Registry, RegistryError, RegistryOptions, SecretRef};
use firesteel_engine::decode::{AvroOptions, DecodeOptions, Decoder, Format};
use firesteel_engine::stage::RejectCode;

use crate::avro::{record, text, zigzag};
use crate::support::{codes, schema};

/// A server on the loopback interface: status and body by path. Lives as long as the test process.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `answer` is given the whole request and its number.
    fn start(answer: impl Fn(&str, usize) -> Option<(u16, String)> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut silent: Vec<TcpStream> = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut piece = [0; 1024];
                while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&piece[..read]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                let number = {
                    let mut log = log.lock().unwrap();
                    log.push(path);
                    log.len()
                };
                match answer(&request, number) {
                    Some((status, body)) => {
                        let head = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                            body.len()
                        );
                        stream.write_all((head + &body).as_bytes()).unwrap();
                    }
                    // Held open and never answered.
                    None => silent.push(stream),
                }
            }
        });
        Self { url, asked }
    }

    /// A registry of these schemas.
    fn of(schemas: HashMap<u32, String>) -> Self {
        Self::start(move |request, _| {
            let id = request.split(' ').nth(1).and_then(|path| path.strip_prefix("/schemas/ids/")?.parse::<u32>().ok());
            Some(match id.and_then(|id| schemas.get(&id)) {
                Some(schema) => (200, serde_json::json!({ "schema": schema }).to_string()),
                None => (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()),
            })
        })
    }

    fn options(&self) -> RegistryOptions {
        RegistryOptions { url: self.url.clone(), login: Login::None, timeout: Duration::from_secs(5) }
    }
}

fn decoder(registry: RegistryOptions, reader: Option<String>, columns: &[(&str, DataType)]) -> Decoder {
    let avro = AvroOptions { schema: reader, registry: Some(registry) };
    let options = DecodeOptions { format: Format::Avro, avro, ..DecodeOptions::default() };
    Decoder::try_new(&options, &schema(columns)).unwrap()
}

fn framed(id: u32, datum: Vec<u8>) -> Vec<u8> {
    [vec![0], id.to_be_bytes().to_vec(), datum].concat()
}

#[test]
fn records_of_several_writers_become_the_same_columns() {
    let server = Server::of(HashMap::from([
        (1, record(r#"{"name":"a","type":"int"},{"name":"s","type":"string"}"#)),
        (
            2,
            record(
                r#"{"name":"extra","type":"double"},{"name":"s","type":["null","string"]},{"name":"a","type":"long"}"#,
            ),
        ),
        (3, record(r#"{"name":"b","type":"long"}"#)),
        (4, record(r#"{"name":"a","type":"string"}"#)),
        (5, "rubbish".to_owned()),
    ]));
    // The reader's schema: `a` was once called `b`, and `d` has a default.
    let reader = record(
        r#"{"name":"a","type":"long","aliases":["b"]},{"name":"s","type":["null","string"],"default":null},
           {"name":"d","type":"double","default":2.5}"#,
    );
    let columns = [("a", DataType::Int64), ("s", DataType::Utf8), ("d", DataType::Float64)];
    let rows = [
        framed(1, [zigzag(1), text("x")].concat()),
        framed(2, [vec![0; 8], vec![2], text("y"), zigzag(2)].concat()),
        framed(9, zigzag(1)),
        framed(3, zigzag(3)),
        framed(4, text("z")),
        framed(5, zigzag(3)),
        framed(1, [zigzag(4), text("w")].concat()),
        vec![0, 0, 0],
        zigzag(5),
    ];
    let mut decoder = decoder(server.options(), Some(reader), &columns);
    let staged = decoder.process(&BinaryArray::from_iter_values(&rows)).unwrap();
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3, 4]);
    let texts: Vec<_> = staged.kept.column(1).as_string::<i32>().iter().collect();
    assert_eq!(texts, [Some("x"), Some("y"), None, Some("w")]);
    assert_eq!(staged.kept.column(2).as_primitive::<Float64Type>().values(), &[2.5; 4]);
    use RejectCode::{Malformed, UnknownSchema, WrongType};
    assert_eq!(codes(&staged), [UnknownSchema, WrongType, UnknownSchema, Malformed, Malformed]);
    assert_eq!(staged.rejected[0].message, "the schema registry does not know schema 9");
    assert_eq!(staged.rejected[1].message, "column a: expected BIGINT, found a string, at byte 5");
    // Each id was asked for once, also across batches and decoders.
    decoder.process(&BinaryArray::from_iter_values(&rows)).unwrap();
    let mut asked = server.asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked, [1, 2, 3, 4, 5, 9].map(|id| format!("/schemas/ids/{id}")));
}

#[test]
fn a_registry_that_is_not_there_fails_within_the_time() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = Server::start(|_, _| None);
    let broken = Server::start(|_, _| Some((503, "later".to_owned())));
    for url in [format!("http://{closed}"), silent.url, broken.url] {
        let options = RegistryOptions { url: url.clone(), login: Login::None, timeout: Duration::from_secs(1) };
        let start = Instant::now();
        let batch = BinaryArray::from_iter_values([framed(7, zigzag(1))]);
        let error = decoder(options, None, &[("a", DataType::Int64)]).process(&batch).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("REGISTRY_UNREACHABLE: {url}/schemas/ids/7 gave no answer within 1 s")),
            "{error}"
        );
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

#[test]
fn a_registry_that_stumbles_is_asked_again() {
    let server = Server::start(|_, number| match number {
        1 => Some((500, "oops".to_owned())),
        _ => Some((200, r#"{"schema":"{}"}"#.to_owned())),
    });
    let schema = Registry::shared(&server.options()).unwrap().schema(1).unwrap().unwrap();
    assert_eq!((schema.kind.as_str(), schema.text.as_str()), ("AVRO", "{}"));
    assert_eq!(server.asked.lock().unwrap().len(), 2);
}

#[test]
fn what_is_no_registry_is_told_apart_from_an_unknown_id() {
    for (status, body) in [(404, "<html>"), (404, r#"{"error_code":404}"#), (200, "<html>"), (200, "{}"), (400, "{}")] {
        let server = Server::start(move |_, _| Some((status, body.to_owned())));
        let error = Registry::shared(&server.options()).unwrap().schema(1).unwrap_err();
        assert!(
            matches!(&error, RegistryError::Answer(message) if message.contains("right?") || message.contains("registry?")),
            "{error:?}"
        );
    }
}

#[test]
fn the_login_is_sent_and_shown_nowhere() {
    let file = std::env::temp_dir().join(format!("firesteel-canary-{}", std::process::id()));
    std::fs::write(&file, "canary-5e81").unwrap();
    let secret = SecretRef::parse(&format!("${{file:{}}}", file.display())).unwrap();
    // canary-5e81 behind `me:` in base64.
    let encoded = "bWU6Y2FuYXJ5LTVlODE=";
    let expects = |header: &'static str| {
        Server::start(move |request, _| {
            Some(if request.to_lowercase().contains(&format!("authorization: {header}").to_lowercase()) {
                (200, r#"{"schema":"{}","schemaType":"JSON"}"#.to_owned())
            } else {
                (401, String::new())
            })
        })
    };
    let basic = Login::Basic { username: "me".to_owned(), password: secret.clone() };
    for (server, login) in [
        (expects("Basic bWU6Y2FuYXJ5LTVlODE="), basic.clone()),
        (expects("Bearer canary-5e81"), Login::Bearer(secret.clone())),
    ] {
        let with = RegistryOptions { login, ..server.options() };
        let registry = Registry::shared(&with).unwrap();
        assert_eq!(registry.schema(1).unwrap().unwrap().kind, "JSON");
        let refused = Registry::shared(&server.options()).unwrap().schema(1).unwrap_err();
        assert!(matches!(refused, RegistryError::Refused(_)));
        let shown = format!("{registry:?} {with:?} {refused:?}");
        assert!(!shown.contains("canary-5e81") && !shown.contains(encoded), "{shown}");
    }
    let refuses = Server::start(|_, _| Some((403, String::new())));
    let with = RegistryOptions { login: basic, ..refuses.options() };
    let error = format!("{:?}", Registry::shared(&with).unwrap().schema(1).unwrap_err());
    assert!(error.contains("Refused") && !error.contains("canary"), "{error}");
    let unset = SecretRef::parse("${env:FIRESTEEL_NO_SUCH_VARIABLE}").unwrap();
    let fault = Registry::shared(&RegistryOptions { login: Login::Bearer(unset), ..refuses.options() }).unwrap_err();
    assert_eq!((fault.condition, fault.path.as_str()), ("MISSING_SECRET", "input.avro.registry.bearer_token"));
    std::fs::remove_file(&file).unwrap();
}
