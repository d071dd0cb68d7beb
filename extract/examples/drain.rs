//! Reads what a query gives and forgets it, by a bare client: the floor below which no extract by that client can be.
//!
//! ```text
//! ETL_SOURCE_URL=mssql://... ETL_SOURCE_PASSWORD=... \
//!     cargo run --release -p etl-extract --example drain -- mssql-tds|tiberius <query>
//! ```
//!
//! The line on stdout is the number of rows.

#![allow(clippy::print_stdout, reason = "the figure is the result")]

use std::error::Error;

use etl_extract::url::SourceUrl;
use futures_util::TryStreamExt;
use mssql_tds::connection::client_context::ClientContext;
use mssql_tds::connection::tds_client::BufferedRowPoll;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::datatypes::row_writer::DiscardRowWriter;
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncWriteCompatExt;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [client, query] = arguments.as_slice() else {
        return Err("usage: drain mssql-tds|tiberius <query>".into());
    };
    let url: SourceUrl = std::env::var("ETL_SOURCE_URL")?.parse()?;
    let password = std::env::var("ETL_SOURCE_PASSWORD")?;
    println!("{}", drain(client, &url, &password, query)?);
    Ok(())
}

/// Gives the number of rows.
pub(crate) fn drain(client: &str, url: &SourceUrl, password: &str, query: &str) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match client {
        "mssql-tds" => runtime.block_on(by_mssql_tds(url, password, query)),
        "tiberius" => runtime.block_on(by_tiberius(url, password, query)),
        _ => Err("the client is mssql-tds or tiberius".into()),
    }
}

async fn by_mssql_tds(url: &SourceUrl, password: &str, query: &str) -> Result<u64> {
    let address = format!("{},{}", url.host, url.port);
    let mut context = ClientContext::with_data_source(&address);
    context.user_name.clone_from(&url.user);
    context.password = password.to_string();
    context.database.clone_from(&url.database);
    context.packet_size = u16::try_from(url.packet_size)?;
    context.encryption_options = EncryptionOptions {
        mode: EncryptionSetting::PreferOff,
        trust_server_certificate: true,
        host_name_in_cert: None,
        server_certificate: None,
    };
    let mut client = TdsConnectionProvider::new().create_client(context, &address, None).await?;
    client.execute(query.to_string(), ()).await?;
    let (mut rows, mut writer) = (0, DiscardRowWriter);
    loop {
        match client.try_next_buffered_row_into(&mut writer)? {
            BufferedRowPoll::Complete => {}
            BufferedRowPoll::Exhausted => break,
            BufferedRowPoll::Partial => client.finish_row_into(&mut writer).await?,
            BufferedRowPoll::Pending if client.next_row_into(&mut writer).await? => {}
            BufferedRowPoll::Pending => break,
        }
        rows += 1;
    }
    client.close_query().await?;
    Ok(rows)
}

async fn by_tiberius(url: &SourceUrl, password: &str, query: &str) -> Result<u64> {
    let mut config = tiberius::Config::new();
    config.database(&url.database);
    config.packet_size(url.packet_size);
    config.authentication(tiberius::AuthMethod::sql_server(&url.user, password));
    config.encryption(tiberius::EncryptionLevel::NotSupported);
    config.lossy_utf16_decoding(true);
    let stream = TcpStream::connect((url.host.as_str(), url.port)).await?;
    stream.set_nodelay(true)?;
    let mut client = tiberius::Client::connect(config, stream.compat_write()).await?;
    let mut items = client.simple_query(query).await?.into_row_stream();
    let mut rows = 0;
    while items.try_next().await?.is_some() {
        rows += 1;
    }
    Ok(rows)
}
