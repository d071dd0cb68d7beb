//! What `inspect` and `plan` say of a source.

use std::sync::atomic::AtomicBool;

use etl_extract::run::{Extract, PartSize};
use etl_extract::survey::Reading;
use etl_extract::{Inspect, inspect, plan};
use etl_fixtures::tds::Tls;
use etl_schemas::dump::KeyRange;

use crate::source::{LOG, MESSAGES, Source, name};
use etl_schemas::project::SourceClient;

fn the_survey_tells_of_every_table_how_it_would_be_read(client: SourceClient) {
    let source = Source::shop();
    let options = source.extract(client, "unused".as_ref());
    let Extract { url, password, casts, gentleness, .. } = options;
    let options = Inspect { url, password, client, casts, gentleness };
    let survey = inspect(&options, &AtomicBool::new(false)).unwrap().unwrap();

    assert_eq!(survey.server.database, "shop");
    assert_eq!(survey.server.database_collation, "Finnish_Swedish_CI_AS");
    assert!(survey.server.version.contains('.') && !survey.server.edition.is_empty());
    assert!(survey.server.counts_rows);
    let [log, messages] = survey.tables.as_slice() else { panic!("two tables: {:?}", survey.tables) };
    assert_eq!((&log.table, &messages.table), (&name("Log"), &name("Messages")));
    assert_eq!((log.rows, messages.rows), (LOG as u64, MESSAGES as u64));
    assert!(messages.bytes > log.bytes && log.bytes.is_some_and(|bytes| bytes > 0));
    assert_eq!((&log.key, &messages.key), (&Vec::new(), &vec!["Id".to_string()]));
    assert_eq!(log.reading, Reading::SinglePass { reason: "it has no usable key".to_string() });
    assert_eq!(messages.reading, Reading::Chunks { parts: 1, ranges: Vec::new() });
    assert!(messages.casts.is_empty() && messages.unsupported.is_empty());
}

fn what_the_server_converts_is_told(client: SourceClient) {
    let source = Source::types(Tls::Off);
    let options = source.extract(client, "unused".as_ref());
    let Extract { url, password, casts, gentleness, .. } = options;
    let options = Inspect { url, password, client, casts, gentleness };
    let survey = inspect(&options, &AtomicBool::new(false)).unwrap().unwrap();
    let cast: Vec<_> = survey.tables.iter().flat_map(|table| &table.casts).collect();
    let money = cast.iter().find(|cast| cast.sql_type == "money").unwrap();
    assert!(money.expressions[0].ends_with("AS decimal(19,4))"), "{:?}", money.expressions);
    assert!(cast.iter().all(|cast| cast.sql_type != "int" && cast.sql_type != "datetime"));
}

fn a_plan_shows_the_ranges_and_reads_single_keys_only(client: SourceClient) {
    let source = Source::shop();
    let out = tempfile::tempdir().unwrap();
    let mut options = source.extract(client, &out.path().join("dump"));
    options.part_size = PartSize { rows: MESSAGES as u64 / 4, ..PartSize::default() };
    let asked = source.server.statistics();
    let survey = plan(&options, &AtomicBool::new(false)).unwrap().unwrap();
    let after = source.server.statistics();
    let text = |value: i64| vec![value.to_string()];
    let range = |after, through| KeyRange { after, through };
    let quarter = MESSAGES / 4;
    let ranges = vec![
        range(Vec::new(), text(quarter)),
        range(text(quarter), text(quarter * 2)),
        range(text(quarter * 2), text(quarter * 3)),
        range(text(quarter * 3), Vec::new()),
    ];
    assert_eq!(survey.tables[1].reading, Reading::Chunks { parts: 4, ranges });
    assert!(after.rows - asked.rows < 500, "the catalog, and two keys");
    assert_eq!(out.path().read_dir().unwrap().count(), 0);
}

by_each_client!(
    the_survey_tells_of_every_table_how_it_would_be_read,
    what_the_server_converts_is_told,
    a_plan_shows_the_ranges_and_reads_single_keys_only,
);
