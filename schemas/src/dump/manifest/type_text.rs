//! A SQL type from its text in the manifest, `nvarchar(50)`: the inverse of the type's `Display`.

use crate::sql_type::SqlType;

/// `None` for what isn't a type's text. `clr` says that the text is the name of a CLR type.
pub(crate) fn parse_type(text: &str, clr: bool) -> Option<SqlType> {
    if clr {
        return Some(SqlType::Clr { name: text.to_string() });
    }
    let (name, arguments) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')')?),
        None => (text, ""),
    };
    let numbers: Vec<u16> = match arguments {
        "" | "max" => Vec::new(),
        list => list.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?,
    };
    let number = |at: usize| numbers.get(at).copied();
    let small = |at: usize| number(at).unwrap_or_default().try_into().ok();
    let sql_type = match name {
        "decimal" => SqlType::from_catalog(name, 0, small(0)?, small(1)?, false),
        "time" | "datetime2" | "datetimeoffset" => SqlType::from_catalog(name, 0, 0, small(0)?, false),
        // The catalog counts these in bytes, the text in UTF-16 code units.
        "nchar" | "nvarchar" => {
            let bytes = number(0).map_or(-1, |units| i32::from(units) * 2);
            SqlType::from_catalog(name, bytes, 0, 0, false)
        }
        "char" | "varchar" | "binary" | "varbinary" => {
            SqlType::from_catalog(name, number(0).map_or(-1, i32::from), 0, 0, false)
        }
        // Its catalog entry tells `real` from `float` by precision.
        "float" => Some(SqlType::Float),
        _ => SqlType::from_catalog(name, 0, 0, 0, false),
    }?;
    // Only one text stands for a type: what prints otherwise was something else.
    (sql_type.to_string() == text).then_some(sql_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_back_from_its_text() {
        let texts = "bit tinyint smallint int bigint decimal(38,10) money smallmoney real float char(10) varchar(8000) \
            varchar(max) text nchar(4000) nvarchar(50) nvarchar(max) ntext xml json binary(16) varbinary(1) \
            varbinary(max) image rowversion uniqueidentifier date time(7) datetime smalldatetime datetime2(0) \
            datetimeoffset(3) sql_variant hierarchyid geometry geography";
        for text in texts.split_whitespace() {
            let sql_type = parse_type(text, false);
            assert_eq!(sql_type.map(|sql_type| sql_type.to_string()).as_deref(), Some(text));
        }
        assert_eq!(parse_type("dbo.Point", true), Some(SqlType::Clr { name: "dbo.Point".to_string() }));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "cursor", "int(4)", "nvarchar", "nvarchar(", "nvarchar(x)", "nvarchar(70000)", "decimal(300,1)"]
        {
            assert_eq!(parse_type(text, false), None, "{text}");
        }
    }
}
