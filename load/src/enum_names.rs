//! Names of enum values.
//!
//! Protobuf wants the values of a file to have different names, so style guides prefix each with its enum's name:
//! `GENDER_MALE` of `Gender`. In a database the column says what it is, so text columns get the short name, `MALE`.

use prost_reflect::EnumDescriptor;

/// The values of an enum as (number, full name, short name), by rising number; of aliases the first counts.
pub(crate) fn values(descriptor: &EnumDescriptor) -> Vec<(i32, String, String)> {
    let prefix = prefix(descriptor.name());
    let shared =
        descriptor.values().all(|value| value.name().len() > prefix.len() && value.name().starts_with(&prefix));
    let mut values: Vec<(i32, String, String)> = Vec::new();
    for value in descriptor.values() {
        let full = value.name().to_string();
        let short = if shared { full[prefix.len()..].to_string() } else { full.clone() };
        if !values.iter().any(|(number, ..)| *number == value.number()) {
            values.push((value.number(), full, short));
        }
    }
    values.sort_by_key(|(number, ..)| *number);
    values
}

/// `PhotoState` to `PHOTO_STATE_`.
fn prefix(name: &str) -> String {
    let mut prefix = String::new();
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            prefix.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        prefix.push(c.to_ascii_uppercase());
    }
    prefix.push('_');
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_name_becomes_the_prefix_of_its_values() {
        assert_eq!(prefix("Gender"), "GENDER_");
        assert_eq!(prefix("PhotoState"), "PHOTO_STATE_");
        assert_eq!(prefix("photo_state"), "PHOTO_STATE_");
    }
}
