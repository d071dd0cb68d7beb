//! What an error of the broker or the client means, and what to do about it.

use lapin::ErrorKind;

use super::{RabbitTarget, encryption};
use crate::LoadError;

/// AMQP's reply codes.
const CONNECTION_FORCED: u16 = 320;
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;
const RESOURCE_ERROR: u16 = 506;
const NOT_ALLOWED: u16 = 530;
const INTERNAL_ERROR: u16 = 541;

/// The reply code of a broker's error.
pub(super) fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// Whether the broker says that there is no such thing.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    code(error) == Some(NOT_FOUND)
}

/// Whether the broker says that it has it, but another one.
pub(super) fn is_different(error: &lapin::Error) -> bool {
    code(error) == Some(PRECONDITION_FAILED)
}

/// What was said, without the client's frame around it.
pub(super) fn said(error: &lapin::Error) -> String {
    match error.kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        ErrorKind::IOError(error) => error.to_string(),
        _ => error.to_string(),
    }
}

/// An error on an open connection.
pub(super) fn broken(target: &RabbitTarget, doing: &str, error: &lapin::Error) -> LoadError {
    let (help, may_pass) = match code(error) {
        Some(CONNECTION_FORCED | RESOURCE_ERROR | INTERNAL_ERROR) => {
            ("check that the broker is up, then run the same command again: it goes on", true)
        }
        Some(ACCESS_REFUSED) => {
            ("give the user the right: rabbitmqctl set_permissions -p VIRTUAL_HOST USER ...", false)
        }
        Some(NOT_FOUND) => ("`etl topology --apply` declares what is missing", false),
        Some(PRECONDITION_FAILED) => ("`etl topology` shows what differs", false),
        Some(NOT_ALLOWED) => ("check the virtual host", said(error).contains("down")),
        Some(_) => ("see the broker's log for more", false),
        None => ("check that the broker is up, then run the same command again: it goes on", true),
    };
    let (broker, doing) = (target.to_string().into(), doing.to_string());
    LoadError::Broker { broker, doing, problem: said(error), help: help.to_string(), may_pass }
}

/// Why a connection could not be had.
pub(super) fn connecting(target: &RabbitTarget, error: &lapin::Error) -> LoadError {
    let problem = said(error);
    let refused = code(error) == Some(ACCESS_REFUSED);
    let (help, may_pass) = match code(error) {
        _ if refused || problem.contains("ACCESS_REFUSED") => {
            (format!("check the target's `password` for user `{}`, and its rights", target.user), false)
        }
        Some(NOT_ALLOWED) => {
            let help = format!("is there a virtual host `{}` that the user may use?", target.virtual_host);
            (help, problem.contains("down"))
        }
        Some(_) => ("see the broker's log for more".to_string(), true),
        None => match encryption::judge(target, error) {
            Some(judged) => judged,
            None if matches!(error.kind(), ErrorKind::ParsingError(_)) => {
                (format!("what answers at port {} isn't AMQP; if it is TLS, write amqps://", target.port), false)
            }
            None if target.tls => ("is RabbitMQ running, and are host and port right?".to_string(), true),
            None => ("is RabbitMQ running, are host and port right, or is that port for amqps://?".to_string(), true),
        },
    };
    LoadError::Connect { server: target.to_string(), problem, help, may_pass }
}
