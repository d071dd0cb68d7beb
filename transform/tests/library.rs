//! The example of the library's face, run over a small dump.

use std::sync::Arc;

use etl_schemas::event::{BatchBuilder, EventKey};
use etl_schemas::sql_type::SqlType;
use etl_schemas::ticks::Ticks;
use etl_transform::RunOptions;
use prost::Message;

use crate::sample::{Data, Table, at, catalog, compile, dump, project, table};

#[path = "../examples/first_messages.rs"]
#[allow(dead_code, unreachable_pub, reason = "its main is what a person runs")]
mod first_messages;

use first_messages::{ConversationStarted, own_events};

#[test]
fn the_example_tells_who_began_each_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let columns =
        [("Id", SqlType::Int), ("At", SqlType::DateTime), ("Sender", SqlType::Int), ("Receiver", SqlType::Int)];
    let schema = table("M", &columns, Some("Id"));
    let rows = (0..2000i64).map(|id| {
        let members = (id * 7 % 30, id * 11 % 40 + 30);
        let (sender, receiver) = if id % 2 == 0 { members } else { (members.1, members.0) };
        let time = Ticks(at(2014, 1, 1, 0, 0).0 + (id ^ 5) * 10_000_000);
        vec![Data::Int(id), Data::Time(time), Data::Int(sender), Data::Int(receiver)]
    });
    let rows: Vec<Vec<Data>> = rows.collect();
    let dump = dump(&folder.path().join("dump"), &[Table::new(schema.clone(), rows.clone()).cut(50, 9)]);
    let project = project(folder.path());
    let sql = "INSERT INTO MessageSent SELECT m.At AT TIME ZONE 'UTC' AS occurred_at, m.Id AS key, 's' AS stream,
        CAST(m.Id AS text) AS message_id, CAST(m.Sender AS text) AS sender_id,
        CASE WHEN m.Sender < m.Receiver THEN concat(m.Sender, '-', m.Receiver)
             ELSE concat(m.Receiver, '-', m.Sender) END AS conversation_id FROM M m;";
    let events = "message MessageSent { string message_id = 1; string conversation_id = 2; string sender_id = 3; }";
    let program = compile(&project, &[schema], &catalog(&project, events), sql).unwrap();
    let mut stream = etl_transform::run(&program, &dump, &RunOptions::new(folder.path().join("work"))).unwrap();
    let mut found = Vec::new();
    let count = first_messages::first_messages(&mut stream, &own_events(&project).unwrap(), |batch| {
        assert_eq!(batch.first_position(), found.len() as u64 + 1);
        found.extend(batch.events().map(|event| {
            let started = ConversationStarted::decode(event.body).unwrap();
            (event.occurred_at, started.conversation_id, started.started_by)
        }));
    });
    assert_eq!(count.unwrap(), found.len() as u64);
    assert!(stream.finish().unwrap().adds_up());

    let mut sorted: Vec<(Ticks, i64, i64)> = (rows.iter())
        .map(|row| match row[..] {
            [_, Data::Time(at), Data::Int(sender), Data::Int(receiver)] => (at, sender, receiver),
            _ => panic!("{row:?}"),
        })
        .collect();
    sorted.sort_unstable();
    let mut seen = std::collections::HashSet::new();
    sorted.retain(|(_, sender, receiver)| seen.insert((*sender.min(receiver), *sender.max(receiver))));
    let expected: Vec<(Ticks, String, String)> = (sorted.iter())
        .map(|(at, sender, receiver)| {
            (*at, format!("{}-{}", sender.min(receiver), sender.max(receiver)), sender.to_string())
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_batch_made_by_hand_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(&project(folder.path()), "message A {} message B {}");
    let mut batch = BatchBuilder::new(Arc::clone(&catalog), 5);
    batch.push("A", Ticks(10), &EventKey::Integer(2), "s", b"x").unwrap();
    assert!(batch.push("A", Ticks(10), &EventKey::Integer(2), "s", b"").unwrap_err().contains("can't come behind"));
    assert!(batch.push("A", Ticks(9), &EventKey::Integer(3), "s", b"").is_err());
    assert!(batch.push("C", Ticks(11), &EventKey::Integer(3), "s", b"").unwrap_err().contains("no event type C"));
    assert!(batch.push("A", Ticks(11), &EventKey::Integer(3), &"s".repeat(70_000), b"").is_err());
    batch.push("B", Ticks(10), &EventKey::Text("1"), "t", b"").unwrap();
    let batch = batch.build();
    let seen: Vec<_> =
        batch.events().map(|event| (event.position, event.key().to_string(), event.stream().to_string())).collect();
    assert_eq!(seen, [(5, "2".into(), "s".into()), (6, "1".to_string(), "t".to_string())]);
}
