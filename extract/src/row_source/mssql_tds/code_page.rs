//! Which code page a collation's narrow text is in.
//!
//! The client has such a table, and takes Windows-1252 for languages that it lacks (the Baltic ones among them) and for
//! languages in another order than their usual one. So we have our own, and what it lacks is an error.

use ::mssql_tds::datatypes::sql_string::EncodingType;
use ::mssql_tds::encoding_rs::{self, Encoding};
use ::mssql_tds::token::tokens::SqlCollation;

/// The code page; `None` for a language that has none or isn't known.
pub(super) fn of(collation: SqlCollation) -> Option<&'static Encoding> {
    if collation.utf8() {
        return Some(encoding_rs::UTF_8);
    }
    // The language stands in the lower half; what is above it tells of its order.
    let language = by_language((collation.info & 0xffff) as u16);
    match collation.sort_id {
        0 => language,
        // A collation of before SQL Server 2000, whose code page the client knows by its number.
        _ => EncodingType::LcidBased(collation).encoding().or(language),
    }
}

/// Languages of code page 1252, in order.
const WESTERN: [u16; 114] = [
    0x0403, 0x0406, 0x0407, 0x0409, 0x040a, 0x040b, 0x040c, 0x040f, 0x0410, 0x0413, 0x0414, 0x0416, 0x0417, 0x041d,
    0x0421, 0x042b, 0x042d, 0x042e, 0x0432, 0x0434, 0x0435, 0x0436, 0x0437, 0x0438, 0x043b, 0x043e, 0x0441, 0x0452,
    0x0456, 0x045d, 0x045e, 0x0462, 0x0464, 0x0468, 0x046a, 0x046b, 0x046c, 0x046e, 0x046f, 0x0470, 0x0478, 0x047a,
    0x047c, 0x047e, 0x0482, 0x0483, 0x0484, 0x0486, 0x0487, 0x0488, 0x0807, 0x0809, 0x080a, 0x080c, 0x0810, 0x0813,
    0x0814, 0x0816, 0x081d, 0x082e, 0x083b, 0x083c, 0x083e, 0x085d, 0x085f, 0x086b, 0x0c07, 0x0c09, 0x0c0a, 0x0c0c,
    0x0c3b, 0x0c6b, 0x1007, 0x1009, 0x100a, 0x100c, 0x103b, 0x1407, 0x1409, 0x140a, 0x140c, 0x143b, 0x1809, 0x180a,
    0x180c, 0x183b, 0x1c09, 0x1c0a, 0x1c3b, 0x2009, 0x200a, 0x203b, 0x2409, 0x240a, 0x243b, 0x2809, 0x280a, 0x2c09,
    0x2c0a, 0x3009, 0x300a, 0x3409, 0x340a, 0x380a, 0x3c0a, 0x4009, 0x400a, 0x4409, 0x440a, 0x4809, 0x480a, 0x4c0a,
    0x500a, 0x540a,
];

/// By the Windows locale ids of SQL Server's languages; [MS-LCID] and "Windows collations" on Microsoft Learn.
fn by_language(id: u16) -> Option<&'static Encoding> {
    Some(match id {
        0x0412 => encoding_rs::EUC_KR,
        0x0411 => encoding_rs::SHIFT_JIS,
        0x0408 => encoding_rs::WINDOWS_1253,
        0x040d => encoding_rs::WINDOWS_1255,
        0x042a => encoding_rs::WINDOWS_1258,
        0x041e => encoding_rs::WINDOWS_874,
        0x0804 | 0x1004 => encoding_rs::GBK,
        0x0404 | 0x0c04 | 0x1404 => encoding_rs::BIG5,
        0x041f | 0x042c | 0x0443 => encoding_rs::WINDOWS_1254,
        0x0425..=0x0427 | 0x0827 => encoding_rs::WINDOWS_1257,
        0x0405 | 0x040e | 0x0415 | 0x0418 | 0x041a..=0x041c | 0x0424 | 0x0442 | 0x081a | 0x101a | 0x141a | 0x181a => {
            encoding_rs::WINDOWS_1250
        }
        0x0402 | 0x0419 | 0x0422 | 0x0423 | 0x0428 | 0x042f | 0x043f | 0x0440 | 0x0444 | 0x0450 | 0x046d | 0x0485
        | 0x082c | 0x0843 | 0x0850 | 0x0c1a | 0x1c1a | 0x201a | 0x281a => encoding_rs::WINDOWS_1251,
        0x0401 | 0x0420 | 0x0429 | 0x0480 | 0x048c | 0x0801 | 0x0c01 | 0x1001 | 0x1401 | 0x1801 | 0x1c01 | 0x2001
        | 0x2401 | 0x2801 | 0x2c01 | 0x3001 | 0x3401 | 0x3801 | 0x3c01 | 0x4001 => encoding_rs::WINDOWS_1256,
        _ if WESTERN.binary_search(&id).is_ok() => encoding_rs::WINDOWS_1252,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn western_languages_can_be_sought() {
        assert!(WESTERN.is_sorted());
        assert_eq!(by_language(0x040b), Some(encoding_rs::WINDOWS_1252));
        assert_eq!(by_language(0x0426), Some(encoding_rs::WINDOWS_1257));
        assert_eq!(by_language(0x0439), None, "Hindi has no code page");
    }
}
