//! What people get wrong in a module, each shown at its place.

use std::path::Path;
use std::sync::Arc;

use etl_load::module::{Module, QueueKind};
use etl_load::postgres::{IfExists, PostgresSink};
use etl_load::rabbitmq::topology::Topology;
use etl_schemas::event::EventCatalog;
use expect_test::{Expect, expect};

use crate::server::Server;
use crate::stream::{catalog, fingerprint, module};

const PROTO: &str = "message MessageSent { string message_id = 1; optional string body = 2; int64 size = 3; }
message MessageRead { string message_id = 1; }";

fn shown(error: impl std::fmt::Display, folder: &Path) -> String {
    error.to_string().replace(&folder.display().to_string(), "chat")
}

#[track_caller]
fn refused(module_toml: &str, expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let error = module(folder.path(), &catalog(PROTO), module_toml, "", "").unwrap_err();
    expected.assert_eq(&shown(error, folder.path()));
}

#[test]
fn unknown_names_offer_the_nearest() {
    refused(
        "name = \"chat\"\n[on.MesageSent]\ncopy = \"message\"\n[on.MessageRead]\ncopy = \"read\"\ncolumns = { id = \"mesage_id\", at = \"ocurred_at\" }\n",
        &expect![[r#"
            chat/module.toml:2:5: no event type is called `MesageSent`
              |
            2 | [on.MesageSent]
              |     ^^^^^^^^^^
              = did you mean `MessageSent`?

            chat/module.toml:6:18: `MessageRead` has no field `mesage_id`
              |
            6 | columns = { id = "mesage_id", at = "ocurred_at" }
              |                  ^^^^^^^^^^^
              = did you mean `message_id`?

            chat/module.toml:6:36: `MessageRead` has no field `ocurred_at`
              |
            6 | columns = { id = "mesage_id", at = "ocurred_at" }
              |                                    ^^^^^^^^^^^^
              = did you mean `occurred_at`?"#]],
    );
    refused(
        "name = \"chat\"\n[on.MessageRead]\ncoppy = \"read\"\n",
        &expect![[r#"
            chat/module.toml:3:1: unknown key `coppy`
              |
            3 | coppy = "read"
              | ^^^^^
              = did you mean `copy`?"#]],
    );
}

#[test]
fn what_a_handler_cannot_be_is_refused() {
    refused(
        "name = \"chat\"\norder = \"strictly\"\n[on.MessageSent]\nsql = \"handlers/sent.sql\"\n[on.MessageRead]\ncall = \"read\"\ncopy = \"read\"\n",
        &expect![[r#"
            chat/module.toml:2:9: there is no such order
              |
            2 | order = "strictly"
              |         ^^^^^^^^^^
              = write order = "strict", or leave it out: the order within each stream is kept anyway

            chat/module.toml:4:7: this file can't be read: chat/handlers/sent.sql: No such file or directory (os error 2)
              |
            4 | sql = "handlers/sent.sql"
              |       ^^^^^^^^^^^^^^^^^^^
              = the file is looked for in the module's folder

            chat/module.toml:5:5: `MessageRead` is handled twice
              |
            5 | [on.MessageRead]
              |     ^^^^^^^^^^^
              = keep one of `copy`, `sql` and `call`; a handler in SQL may write several tables"#]],
    );
}

#[test]
fn names_and_tables_are_checked() {
    refused(
        "name = \"Chat\"\n[on.MessageSent]\n[on.MessageRead]\ncopy = \"etl.read\"\n",
        &expect![[r#"
            chat/module.toml:1:8: a module's name can't be written like this
              |
            1 | name = "Chat"
              |        ^^^^^^
              = begin with a lower-case letter and go on with lower-case letters, digits and `_`

            chat/module.toml:2:5: nothing says what to do with `MessageSent`
              |
            2 | [on.MessageSent]
              |     ^^^^^^^^^^^
              = add `copy = "table"`, `sql = "handlers/file.sql"` or `call = "function"`

            chat/module.toml:4:8: the schema `etl` holds the checkpoint
              |
            4 | copy = "etl.read"
              |        ^^^^^^^^^^
              = put the table into another schema"#]],
    );
}

#[test]
fn modules_of_a_folder_are_read_together() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    for (name, toml) in [("b", "name = \"b\""), ("a", "name = \"b\"\n")] {
        module(&folder.path().join(name), &catalog, toml, "", "").unwrap();
    }
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    expect![[r#"
        chat/b/module.toml:1:8: the name `b` is taken by chat/a/module.toml already
          |
        1 | name = "b"
          |        ^^^"#]]
    .assert_eq(&shown(Module::load_all(folder.path(), &catalog).unwrap_err(), folder.path()));
    std::fs::remove_file(folder.path().join("b/module.toml")).unwrap();
    assert_eq!(Module::load_all(folder.path(), &catalog).unwrap().len(), 1);
    let missing = Module::load(&folder.path().join("c"), &catalog).unwrap_err().to_string();
    assert!(missing.contains("module.toml: No such file"), "{missing}");
}

fn opened(server: &Server, catalog: &Arc<EventCatalog>, toml: &str, schema: &str, folder: &Path) -> String {
    let module = module(folder, catalog, toml, schema, "").unwrap();
    let options = server.options(IfExists::Fail);
    match PostgresSink::open(&server.target(), &module, catalog, &fingerprint(), &options) {
        Ok(_) => panic!("opened"),
        Err(error) => shown(error, folder).replace(&server.database(""), ""),
    }
}

#[test]
fn what_only_the_database_knows_is_shown_at_its_place_too() {
    let server = Server::start("diagnostics");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let toml = "name = \"chat\"\n[on.MessageSent]\ncopy = \"message\"\ncolumns = { id = \"message_id\", bdy = \"body\", made = \"size\" }\n\
                [on.MessageRead]\ncopy = \"mesage\"\n";
    let schema = "CREATE TABLE message (id uuid, body text, size date, sender integer NOT NULL, made int GENERATED ALWAYS AS (1) STORED);";
    expect![[r#"
        chat/module.toml:4:32: table `message` has no column `bdy`
          |
        4 | columns = { id = "message_id", bdy = "body", made = "size" }
          |                                ^^^^^^^^^^^^
          = did you mean `body`?

        chat/module.toml:3:8: nothing fills column `sender` of `message`, which is NOT NULL and has no default
          |
        3 | copy = "message"
          |        ^^^^^^^^^
          = write columns = { sender = "field" }; fields: message_id, body, size, occurred_at, key, stream, event_id, position, event_type

        chat/module.toml:4:46: column `made` is generated by the database
          |
        4 | columns = { id = "message_id", bdy = "body", made = "size" }
          |                                              ^^^^^^^^^^^^^
          = leave it out

        chat/module.toml:3:8: column `size` is date, which can't take `size`
          |
        3 | copy = "message"
          |        ^^^^^^^^^
          = `size` fits smallint, integer, bigint and numeric

        chat/module.toml:6:8: chat/schema.sql makes no table `mesage`
          |
        6 | copy = "mesage"
          |        ^^^^^^^^
          = did you mean `message`?"#]]
    .assert_eq(&opened(&server, &catalog, toml, schema, folder.path()));

    let toml = "name = \"chat\"\n[on.MessageRead]\ncopy = \"t\"\n";
    expect![[r#"
        chat/module.toml:3:8: no column of `t` has the name of a field of `MessageRead`
          |
        3 | copy = "t"
          |        ^^^
          = fields: message_id, occurred_at, key, stream, event_id, position, event_type"#]]
    .assert_eq(&opened(&server, &catalog, toml, "CREATE TABLE t (a integer)", folder.path()));

    expect![[r#"
        chat/schema.sql:3:8: ERROR 42704: type "txt" does not exist
          |
        3 |     åä txt
          |        ^^^"#]]
    .assert_eq(&opened(&server, &catalog, toml, "-- é\nCREATE TABLE t (\n    åä txt\n);", folder.path()));

    expect![[r#"
        chat/schema.sql:2:1: the script ends the transaction that it runs in
          |
        2 | COMMIT;
          | ^
          = leave BEGIN and COMMIT out: the whole script is one transaction"#]]
    .assert_eq(&opened(&server, &catalog, toml, "CREATE TABLE t (message_id text);\nCOMMIT;", folder.path()));
}

/// A module that can't be opened leaves no database behind.
#[test]
fn a_failed_opening_leaves_nothing() {
    let server = Server::start("nothing");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog(PROTO);
    let toml = "name = \"chat\"\n[on.MessageRead]\ncopy = \"t\"\n";
    opened(&server, &catalog, toml, "CREATE TABLE u (a integer)", folder.path());
    let count = format!("SELECT count(*) FROM pg_database WHERE datname = '{}'", server.database("chat"));
    assert_eq!(server.query_database("postgres", &count), ["0"]);
}

#[test]
fn a_module_whose_queue_would_be_the_one_of_dead_letters_is_refused() {
    let (folder, catalog) = (tempfile::tempdir().unwrap(), catalog(PROTO));
    let toml = "# dead\nname = \"dead\"\n[on.MessageRead]\ncopy = \"read\"\n";
    let dead = module(folder.path(), &catalog, toml, "", "").unwrap();
    let error = Topology::new("shop", &[dead], &catalog, QueueKind::Quorum).unwrap_err();
    expect![[r#"
        chat/module.toml:2:8: its queue would be `shop.dead`, which is the one of dead letters
          |
        2 | name = "dead"
          |        ^^^^^^
          = name the module otherwise; by way of RabbitMQ it can't be this"#]]
    .assert_eq(&shown(error, folder.path()));
}

#[test]
fn a_project_may_have_no_folder_of_modules() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Module::load_all(&folder.path().join("modules"), &catalog(PROTO)).unwrap().len(), 0);
}
