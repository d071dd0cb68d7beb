//! The extractor against a server that speaks SQL Server's protocol over a real SQL engine.

mod catalog;
mod connection;
mod dumped;
mod faults;
mod resume;
mod source;
mod types;
