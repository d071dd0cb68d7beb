//! A mapping in Rust, where SQL doesn't reach: who began each conversation, told from the stream of all messages.
//!
//! A mapping in SQL sees one row at a time. This one sees the ordered stream, keeps what it has seen, and makes events of
//! its own, which any sink takes. Run it on a project that has the sample's events:
//!
//! ```text
//! cargo run -p etl-transform --example first_messages -- fixtures/happypancake target/demo/dump
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example tells what it finds")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etl_schemas::dump::Dump;
use etl_schemas::event::{BatchBuilder, EventBatch, EventCatalog, EventKey};
use etl_schemas::project::Project;
use etl_schemas::table::TableSchema;
use etl_transform::{EventStream, RunOptions, compile, run};
use prost::Message;

/// The fields that we read, declared with the numbers of `events.proto`. A build script with prost-build or protox makes
/// all of them; unknown fields are passed over either way.
#[derive(Clone, PartialEq, Message)]
pub struct MessageSent {
    /// Which conversation it is part of.
    #[prost(string, tag = "2")]
    pub conversation_id: String,
    /// Who wrote it.
    #[prost(string, tag = "3")]
    pub sender_id: String,
}

/// What we make: an event that this program declares itself.
#[derive(Clone, PartialEq, Message)]
pub struct ConversationStarted {
    /// Which conversation begins.
    #[prost(string, tag = "1")]
    pub conversation_id: String,
    /// Who wrote its first message.
    #[prost(string, tag = "2")]
    pub started_by: String,
}

const OWN_EVENTS: &str =
    "syntax = \"proto3\"; message ConversationStarted { string conversation_id = 1; string started_by = 2; }";

/// Reads the stream to its end. One batch of our events comes for each batch of the stream that has any; positions count
/// through, and the order is the stream's.
pub fn first_messages(
    stream: &mut EventStream,
    own: &Arc<EventCatalog>,
    mut take: impl FnMut(EventBatch),
) -> Result<u64, Box<dyn std::error::Error>> {
    let (mut begun, mut position) = (HashSet::new(), 1);
    for batch in stream {
        let batch = batch?;
        let mut made = BatchBuilder::new(Arc::clone(own), position);
        for event in batch.events().filter(|event| event.event_type().name == "MessageSent") {
            let sent = MessageSent::decode(event.body)?;
            if begun.insert(sent.conversation_id.clone()) {
                let body = ConversationStarted { conversation_id: sent.conversation_id, started_by: sent.sender_id };
                let (at, key) = (event.occurred_at, event.key());
                made.push("ConversationStarted", at, &key, event.stream(), &body.encode_to_vec())?;
            }
        }
        if !made.is_empty() {
            position += made.len() as u64;
            take(made.build());
        }
    }
    Ok(position - 1)
}

/// The catalog of our own events, whose ids live in the project's namespace like all others.
pub fn own_events(project: &Project) -> Result<Arc<EventCatalog>, Box<dyn std::error::Error>> {
    Ok(Arc::new(EventCatalog::parse(Path::new("own.proto"), OWN_EVENTS, project.namespace)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(project), Some(dump)) = (arguments.next(), arguments.next()) else {
        return Err("usage: first_messages PROJECT DUMP".into());
    };
    let project = Project::open(&project)?;
    let catalog = Arc::new(EventCatalog::load(&project.events_file(), project.namespace)?);
    let dump = Arc::new(Dump::open(&dump)?);
    let tables: Vec<TableSchema> = dump.tables().iter().map(|table| table.schema.clone()).collect();
    let program = Arc::new(compile(&project, &tables, &catalog)?);
    let work = std::env::temp_dir().join(format!("first_messages-{}", std::process::id()));
    let mut stream = run(&program, &dump, &RunOptions::new(&work))?;
    let own = own_events(&project)?;
    let conversations = first_messages(&mut stream, &own, |batch| {
        for event in batch.events() {
            let EventKey::Integer(key) = event.key() else { continue };
            println!(
                "{}Z conversation {} begins with message {key}, event {}",
                event.occurred_at,
                event.stream(),
                event.id()
            );
        }
    })?;
    // The ledger says whether every row is accounted for, however few of its events we used.
    let ledger = stream.finish()?;
    eprintln!("{conversations} conversations; the ledger adds up: {}", ledger.adds_up());
    std::fs::remove_dir_all(&work)?;
    Ok(())
}
