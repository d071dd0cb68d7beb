//! The program as a user runs it: every test starts the `etl` binary against real servers.

mod demo;
mod dump;
mod events;
mod mistakes;
mod postgres;
mod sample;
mod seed;
