//! Use cases as a library runs them. `cli/tests/usecases.rs` is about what they say.

use std::sync::atomic::AtomicBool;

use etl_load::LoadError;
use etl_load::postgres::try_out;
use etl_load::usecase::UseCase;

use crate::server::Server;
use crate::stream::{catalog, module};

/// Of a user who has pressed Ctrl-C.
static STOPPED: AtomicBool = AtomicBool::new(true);

#[test]
fn a_use_case_that_waits_is_ended_by_the_stop_flag_and_leaves_nothing() {
    let server = Server::start("trying");
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("message A { int32 n = 1; }");
    // A fault that may pass, and never does.
    let schema = "CREATE FUNCTION f(n integer) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN RAISE 'in the way' USING ERRCODE = 'serialization_failure'; END $$";
    let m = module(folder.path(), &catalog, "name = \"m\"\n[on.A]\ncall = \"f\"\n", schema, "").unwrap();
    std::fs::create_dir(folder.path().join("usecases")).unwrap();
    let case = "title = \"It waits\"\n[[given]]\nevent_type = \"A\"\nn = 1\n[[then.\"etl.rejected\"]]\nposition = 1\n";
    std::fs::write(folder.path().join("usecases/waits.toml"), case).unwrap();
    let cases = UseCase::load_all(&m, &catalog).unwrap_or_else(|error| panic!("{error}"));
    let ended = try_out(&server.target(), &m, &cases[0], &catalog, &server.database(""), &STOPPED);
    let error = ended.expect_err("it can't go on");
    assert!(matches!(error, LoadError::Stopped { .. }), "{error}");
    assert!(error.to_string().contains("in the way"), "{error}");
    assert_eq!(server.query_database("postgres", &server.existing("m")), ["0"]);
}
