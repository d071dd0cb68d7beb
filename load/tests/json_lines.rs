//! JSON lines against a golden text and against prost-reflect's own JSON.

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use etl_load::LoadError;
use etl_load::jsonl::JsonLines;
use etl_load::sink::Sink;
use etl_schemas::event::EventBatch;
use etl_schemas::ticks::Ticks;
use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, SerializeOptions, Value};
use uuid::Uuid;

use crate::stream::{Key, Stream, catalog};

const PROTO: &str = "
enum Gender { GENDER_UNSPECIFIED = 0; GENDER_MALE = 1; GENDER_FEMALE = -2; }
message MessageSent {
    string message_id = 1; bool read = 2; int32 a = 3; int64 b = 4; uint32 c = 5; uint64 d = 6; sint32 e = 7; sint64 f = 8;
    float g = 9; double h = 10; bytes i = 11; Gender gender = 12; google.protobuf.Timestamp sent_at = 13;
    optional string body = 14; optional bool o = 15; optional int64 p = 16; optional double q = 17; optional Gender r = 18;
}";

fn lines(batches: &[Arc<EventBatch>]) -> String {
    let mut out = Vec::new();
    let mut sink = JsonLines::new("jsonl:-", &mut out, batches[0].catalog());
    for batch in batches {
        sink.write(batch).unwrap();
    }
    sink.finish().unwrap();
    drop(sink);
    String::from_utf8(out).unwrap()
}

#[test]
fn lines_look_like_this() {
    let catalog = catalog(PROTO);
    let mut stream = Stream::new(&catalog);
    let at = Ticks::from_timestamp(1_393_673_400, 120_000_000).unwrap();
    let descriptor = &catalog.types[0].descriptor;
    let body = r#"{"message_id":"m","b":"-5","body":"a\"\u0001 <é>\n","gender":"GENDER_FEMALE","i":"AAEC","sent_at":"2014-03-01T11:30:00Z"}"#;
    let body = DynamicMessage::deserialize(descriptor.clone(), &mut serde_json::Deserializer::from_str(body)).unwrap();
    stream.event("MessageSent", at, &Key::Text("k\"1"), "member/3", &body.encode_to_vec());
    stream.event("MessageSent", at, &Key::Uuid(Uuid::NAMESPACE_DNS), "member/4", &[]);
    expect_test::expect![[r#"
        {"position":1,"id":"ID1","type":"MessageSent","occurred_at":"2014-03-01T11:30:00.120Z","key":"k\"1","stream":"member/3","data":{"message_id":"m","read":false,"a":0,"b":"-5","c":0,"d":"0","e":0,"f":"0","g":0.0,"h":0.0,"i":"AAEC","gender":"GENDER_FEMALE","sent_at":"2014-03-01T11:30:00Z","body":"a\"\u0001 <é>\n"}}
        {"position":2,"id":"ID2","type":"MessageSent","occurred_at":"2014-03-01T11:30:00.120Z","key":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","stream":"member/4","data":{"message_id":"","read":false,"a":0,"b":"0","c":0,"d":"0","e":0,"f":"0","g":0.0,"h":0.0,"i":"","gender":"GENDER_UNSPECIFIED"}}
    "#]]
    .assert_eq(&{
        let batch = &stream.batches(2)[0];
        let text = lines(&stream.batches(1));
        text.replace(&batch.event(0).id().to_string(), "ID1").replace(&batch.event(1).id().to_string(), "ID2")
    });
}

fn message(values: &[(u32, Value)]) -> DynamicMessage {
    let mut message = DynamicMessage::new(catalog(PROTO).types[0].descriptor.clone());
    for (number, value) in values {
        message.set_field_by_number(*number, value.clone());
    }
    message
}

fn timestamp(seconds: i64, nanos: i32) -> Value {
    let descriptor = catalog(PROTO).types[0].descriptor.get_field_by_name("sent_at").unwrap();
    let mut message = DynamicMessage::new(descriptor.kind().as_message().unwrap().clone());
    message.set_field_by_number(1, Value::I64(seconds));
    message.set_field_by_number(2, Value::I32(nanos));
    Value::Message(message)
}

fn values() -> impl Strategy<Value = Vec<(u32, Value)>> {
    let value = prop_oneof![
        any::<String>()
            .prop_flat_map(|s| prop_oneof![Just(1), Just(14)].prop_map(move |n| (n, Value::String(s.clone())))),
        any::<bool>().prop_flat_map(|b| prop_oneof![Just(2), Just(15)].prop_map(move |n| (n, Value::Bool(b)))),
        any::<i32>().prop_flat_map(|i| prop_oneof![Just(3), Just(7)].prop_map(move |n| (n, Value::I32(i)))),
        any::<i64>().prop_flat_map(|i| prop_oneof![Just(4), Just(8), Just(16)].prop_map(move |n| (n, Value::I64(i)))),
        any::<u32>().prop_map(|i| (5, Value::U32(i))),
        any::<u64>().prop_map(|i| (6, Value::U64(i))),
        any::<f32>().prop_map(|f| (9, Value::F32(f))),
        any::<f64>().prop_flat_map(|f| prop_oneof![Just(10), Just(17)].prop_map(move |n| (n, Value::F64(f)))),
        any::<Vec<u8>>().prop_map(|b| (11, Value::Bytes(b.into()))),
        (-3..4i32).prop_flat_map(|e| prop_oneof![Just(12), Just(18)].prop_map(move |n| (n, Value::EnumNumber(e)))),
        (Ticks::MIN.0..=Ticks::MAX.0, 0..3u32).prop_map(|(ticks, cut)| {
            let (seconds, nanos) = Ticks(ticks).to_timestamp();
            let unit = [1, 1_000, 1_000_000][cut as usize];
            (13, timestamp(seconds, nanos / unit * unit))
        }),
    ];
    prop::collection::vec(value, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn data_is_the_protobuf_mapping(values in values()) {
        let catalog = catalog(PROTO);
        let message = message(&values);
        let mut stream = Stream::new(&catalog);
        let body = message.encode_to_vec();
        stream.event("MessageSent", Ticks(0), &Key::Integer(1), "s", &body);
        let ours = lines(&stream.batches(1));
        // What the bytes say counts: the writer leaves out -0.0 as if it were 0.
        let message = DynamicMessage::decode(catalog.types[0].descriptor.clone(), &*body).unwrap();
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
        let mut theirs = Vec::new();
        message.serialize_with_options(&mut serde_json::Serializer::new(&mut theirs), &options).unwrap();
        let data = ours.split_once("\"data\":").unwrap().1;
        prop_assert_eq!(data, format!("{}}}\n", String::from_utf8(theirs).unwrap()));
    }
}

struct Broken(ErrorKind);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_is_told_apart_from_a_full_disk() {
    let catalog = catalog(PROTO);
    let mut stream = Stream::new(&catalog);
    stream.json("MessageSent", "{}");
    let write = |kind| {
        let mut sink = JsonLines::new("jsonl:-", Broken(kind), &catalog);
        sink.write(&stream.batches(1)[0]).unwrap_err()
    };
    assert!(matches!(write(ErrorKind::BrokenPipe), LoadError::BrokenPipe { .. }));
    assert!(matches!(write(ErrorKind::StorageFull), LoadError::Write { .. }));
}

#[test]
fn a_limit_ends_within_a_batch() {
    let catalog = catalog(PROTO);
    let mut stream = Stream::new(&catalog);
    for _ in 0..5 {
        stream.json("MessageSent", "{}");
    }
    let mut out = Vec::new();
    let mut sink = JsonLines::new("jsonl:-", &mut out, &catalog).limit(3);
    for batch in stream.batches(2) {
        sink.write(&batch).unwrap();
    }
    assert!(sink.is_full());
    assert_eq!(sink.stop().unwrap().taken, 3);
    drop(sink);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
}

#[test]
fn bytes_that_are_no_event_are_an_error_with_their_position() {
    let catalog = catalog(PROTO);
    let mut stream = Stream::new(&catalog);
    stream.event("MessageSent", Ticks(0), &Key::Integer(1), "s", &[0x0a, 9]);
    let mut sink = JsonLines::new("jsonl:-", Vec::new(), &catalog);
    let error = sink.write(&stream.batches(1)[0]).unwrap_err().to_string();
    assert!(error.contains("event 1 (MessageSent)"), "{error}");
}
