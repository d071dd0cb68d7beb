//! The program as a user runs it: every test starts the `etl` binary against real servers.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where it stopped")]

mod demo;
mod dump;
mod events;
mod extract;
mod mistakes;
mod postgres;
mod quarantine;
mod sample;
mod seed;
mod usecases;
