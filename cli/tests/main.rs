//! The program as a user runs it: every test starts the `etl` binary against real servers.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where it stopped")]

mod check;
mod demo;
mod dump;
mod events;
mod extract;
mod extract_faults;
mod faults;
mod mistakes;
mod modules;
mod postgres;
mod quarantine;
mod rabbitmq;
mod rabbitmq_faults;
mod rabbitmq_messages;
mod rabbitmq_repair;
mod rabbitmq_tls;
mod rollback;
mod sample;
mod seed;
mod servers;
mod story;
mod usecases;
