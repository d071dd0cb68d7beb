//! The transform against real dumps: written with the dump's own writer into a temporary folder, read back through
//! the public interface.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test, and says where")]

mod accounting;
mod causality;
mod derived;
mod diagnostics;
mod explaining;
mod expressions;
mod golden;
mod happypancake;
mod library;
mod ordering;
mod postgres;
mod sample;
mod strategies;
mod windows;
