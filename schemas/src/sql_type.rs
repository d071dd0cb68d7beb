//! SQL Server's types and how each is carried: the one table that extract, dump, transform and load agree on.
//!
//! A type we don't carry has no variant: [`SqlType::from_catalog`] refuses it by name, before anything is read.

mod declaration;

use std::fmt;

pub use declaration::DeclarationError;

/// A column's type, with what of its declaration decides how it is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are SQL Server's own names")]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Money,
    SmallMoney,
    Real,
    Float,
    /// `length` in bytes of the column's code page.
    Char {
        length: u16,
    },
    /// `length` in bytes; `None` is `max`.
    VarChar {
        length: Option<u16>,
    },
    Text,
    /// `length` in UTF-16 code units.
    NChar {
        length: u16,
    },
    /// `length` in UTF-16 code units; `None` is `max`. Also `sysname`, which is `nvarchar(128)`.
    NVarChar {
        length: Option<u16>,
    },
    NText,
    Xml,
    Json,
    Binary {
        length: u16,
    },
    /// `None` is `max`.
    VarBinary {
        length: Option<u16>,
    },
    Image,
    RowVersion,
    UniqueIdentifier,
    Date,
    /// `scale` is the number of decimal digits of the second, 0 to 7.
    Time {
        scale: u8,
    },
    DateTime,
    SmallDateTime,
    DateTime2 {
        scale: u8,
    },
    DateTimeOffset {
        scale: u8,
    },
    SqlVariant,
    HierarchyId,
    Geometry,
    Geography,
    /// Any other CLR type, by its name.
    Clr {
        name: String,
    },
}

/// What a value is in the dump: the protobuf type of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are protobuf's own names")]
pub enum FieldKind {
    Bool,
    UInt32,
    SInt32,
    SInt64,
    Float,
    Double,
    String,
    Bytes,
    /// `google.protobuf.Timestamp`; for wall clocks read as if they were UTC.
    Timestamp,
    /// `etl.DateTimeOffset { Timestamp utc = 1; sint32 offset_minutes = 2; }`
    DateTimeOffset,
    /// `etl.Variant { string base_type = 1; string text = 2; }`
    Variant,
    /// `etl.Geometry { sint32 srid = 1; bytes wkb = 2; }`
    Geometry,
}

impl FieldKind {
    /// Whether blocks keep a zone map (minimum, maximum, order) of such a column. The zone's integers are the value
    /// itself, for a Timestamp its [`crate::ticks::Ticks`], for a DateTimeOffset the ticks of its UTC instant.
    pub fn has_zone(self) -> bool {
        use FieldKind as F;
        matches!(self, F::UInt32 | F::SInt32 | F::SInt64 | F::Timestamp | F::DateTimeOffset)
    }
}

/// How a column's value is asked for, so that every client hands it over exactly. `{}` is the quoted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// The column itself.
    Plain,
    /// One expression instead of the column.
    As(&'static str),
    /// Two expressions that together make the value.
    Pair(&'static str, &'static str),
    /// Three: what a variant's value is, the value unless it is text, and its text.
    Triple(&'static str, &'static str, &'static str),
}

const VARIANT_BASE: &str = "CAST(SQL_VARIANT_PROPERTY({}, 'BaseType') AS nvarchar(128))";
/// Within a variant as elsewhere, a client that decodes money into a float loses digits; a decimal arrives whole.
const VARIANT_VALUE: &str = "CASE \
    WHEN CAST(SQL_VARIANT_PROPERTY({}, 'BaseType') AS nvarchar(128)) IN ('char', 'varchar', 'nchar', 'nvarchar') THEN NULL \
    WHEN CAST(SQL_VARIANT_PROPERTY({}, 'BaseType') AS nvarchar(128)) IN ('money', 'smallmoney') \
    THEN CAST(CAST({} AS decimal(19,4)) AS sql_variant) ELSE {} END";
/// Text comes as any other text does: from whatever code page, and with halves of surrogate pairs.
const VARIANT_TEXT: &str = "CASE \
    WHEN CAST(SQL_VARIANT_PROPERTY({}, 'BaseType') AS nvarchar(128)) IN ('char', 'varchar', 'nchar', 'nvarchar') \
    THEN CAST({} AS nvarchar(max)) END";

/// One row of the type map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// How the generated SELECT asks for it.
    pub select: Select,
    /// The protobuf field that holds it.
    pub field: FieldKind,
    /// The Postgres type that takes it without loss (but for `time`, which Postgres cuts to microseconds).
    pub postgres: String,
}

impl SqlType {
    /// The type map: how a value of this type is selected, dumped and loaded.
    pub fn carried(&self) -> Carried {
        use FieldKind as F;
        use Select::{As, Pair, Plain, Triple};
        let (select, field, postgres) = match self {
            SqlType::Bit => (Plain, F::Bool, "boolean"),
            SqlType::TinyInt => (Plain, F::UInt32, "smallint"),
            SqlType::SmallInt => (Plain, F::SInt32, "smallint"),
            SqlType::Int => (Plain, F::SInt32, "integer"),
            SqlType::BigInt => (Plain, F::SInt64, "bigint"),
            SqlType::Decimal { precision, scale } => {
                let postgres = format!("numeric({precision},{scale})");
                return Carried { select: Plain, field: F::String, postgres };
            }
            // A client that decodes money into a float loses digits past 2^53; a decimal arrives whole.
            SqlType::Money => (As("CAST({} AS decimal(19,4))"), F::String, "numeric(19,4)"),
            SqlType::SmallMoney => (As("CAST({} AS decimal(10,4))"), F::String, "numeric(10,4)"),
            SqlType::Real => (Plain, F::Float, "real"),
            SqlType::Float => (Plain, F::Double, "double precision"),
            SqlType::Char { .. } | SqlType::VarChar { .. } | SqlType::Text => (Plain, F::String, "text"),
            SqlType::NChar { .. } | SqlType::NVarChar { .. } | SqlType::NText => (Plain, F::String, "text"),
            SqlType::Xml => (Plain, F::String, "text"),
            SqlType::Json => (As("CAST({} AS nvarchar(max))"), F::String, "text"),
            SqlType::Binary { .. } | SqlType::VarBinary { .. } | SqlType::Image => (Plain, F::Bytes, "bytea"),
            SqlType::RowVersion => (Plain, F::Bytes, "bytea"),
            SqlType::UniqueIdentifier => (Plain, F::Bytes, "uuid"),
            SqlType::Date => (Plain, F::SInt32, "date"),
            SqlType::Time { .. } => (Plain, F::SInt64, "time"),
            SqlType::DateTime | SqlType::SmallDateTime | SqlType::DateTime2 { .. } => {
                (Plain, F::Timestamp, "timestamp")
            }
            SqlType::DateTimeOffset { .. } => (Plain, F::DateTimeOffset, "timestamptz"),
            SqlType::SqlVariant => (Triple(VARIANT_BASE, VARIANT_VALUE, VARIANT_TEXT), F::Variant, "text"),
            SqlType::HierarchyId => (As("{}.ToString()"), F::String, "text"),
            SqlType::Geometry | SqlType::Geography => (Pair("{}.STSrid", "{}.STAsBinary()"), F::Geometry, "bytea"),
            SqlType::Clr { .. } => (As("CAST({} AS varbinary(max))"), F::Bytes, "bytea"),
        };
        Carried { select, field, postgres: postgres.to_string() }
    }

    /// The expressions that a SELECT asks for, given the quoted column and its collation.
    ///
    /// Text of a collation whose code page a client may misread is converted by the server: UTF-8 collations, the MS-DOS
    /// code pages 437 and 850 of the old `SQL_*_CP437_*` and `SQL_*_CP850_*`, and every code page in which a byte may
    /// stand for no character, since that byte would fail the whole table.
    pub fn select_expressions(&self, quoted: &str, collation: Option<&str>) -> Vec<String> {
        let narrow = matches!(self, SqlType::Char { .. } | SqlType::VarChar { .. } | SqlType::Text);
        if narrow && collation.is_some_and(is_misread) {
            return vec![format!("CAST({quoted} AS nvarchar(max))")];
        }
        match self.carried().select {
            Select::Plain => vec![quoted.to_string()],
            Select::As(template) => vec![template.replace("{}", quoted)],
            Select::Pair(first, second) => vec![first.replace("{}", quoted), second.replace("{}", quoted)],
            Select::Triple(first, second, third) => {
                [first, second, third].map(|template| template.replace("{}", quoted)).into()
            }
        }
    }

    /// From `sys.types.name` and the numbers of `sys.columns`: `max_length` in bytes (-1 is `max`), precision, scale.
    /// `None` for what can't be carried.
    pub fn from_catalog(name: &str, max_length: i32, precision: u8, scale: u8, is_clr: bool) -> Option<SqlType> {
        let bytes = u16::try_from(max_length).ok();
        let units = bytes.map(|length| length / 2);
        Some(match name.to_ascii_lowercase().as_str() {
            "bit" => SqlType::Bit,
            "tinyint" => SqlType::TinyInt,
            "smallint" => SqlType::SmallInt,
            "int" => SqlType::Int,
            "bigint" => SqlType::BigInt,
            "decimal" | "numeric" => SqlType::Decimal { precision, scale },
            "money" => SqlType::Money,
            "smallmoney" => SqlType::SmallMoney,
            "real" => SqlType::Real,
            "float" if precision <= 24 && max_length == 4 => SqlType::Real,
            "float" => SqlType::Float,
            "char" => SqlType::Char { length: bytes? },
            "varchar" => SqlType::VarChar { length: bytes },
            "text" => SqlType::Text,
            "nchar" => SqlType::NChar { length: units? },
            "nvarchar" => SqlType::NVarChar { length: units },
            "sysname" => SqlType::NVarChar { length: Some(128) },
            "ntext" => SqlType::NText,
            "xml" => SqlType::Xml,
            "json" => SqlType::Json,
            "binary" => SqlType::Binary { length: bytes? },
            "varbinary" => SqlType::VarBinary { length: bytes },
            "image" => SqlType::Image,
            "timestamp" | "rowversion" => SqlType::RowVersion,
            "uniqueidentifier" => SqlType::UniqueIdentifier,
            "date" => SqlType::Date,
            "time" => SqlType::Time { scale },
            "datetime" => SqlType::DateTime,
            "smalldatetime" => SqlType::SmallDateTime,
            "datetime2" => SqlType::DateTime2 { scale },
            "datetimeoffset" => SqlType::DateTimeOffset { scale },
            "sql_variant" => SqlType::SqlVariant,
            "hierarchyid" => SqlType::HierarchyId,
            "geometry" => SqlType::Geometry,
            "geography" => SqlType::Geography,
            _ if is_clr => SqlType::Clr { name: name.to_string() },
            _ => return None,
        })
    }
}

/// Languages of collations whose code pages have bytes without a character: 874, 932, 936, 949, 950, 1253, 1255, 1257.
///
/// Microsoft Learn, "Collation and Unicode support"; the holes are those of the WHATWG encoding standard's indexes.
const LANGUAGES_WITH_HOLES: [&str; 10] = [
    "JAPANESE_",
    "CHINESE_",
    "KOREAN_",
    "THAI_",
    "GREEK_",
    "HEBREW_",
    "ESTONIAN_",
    "LATVIAN_",
    "LITHUANIAN_",
    "DIVEHI_",
];

/// Code pages with holes, as the names of the old SQL collations have them.
const CODE_PAGES_MISREAD: [&str; 10] =
    ["_CP437_", "_CP850_", "_CP874_", "_CP932_", "_CP936_", "_CP949_", "_CP950_", "_CP1253_", "_CP1255_", "_CP1257_"];

fn is_misread(collation: &str) -> bool {
    let upper = collation.to_ascii_uppercase();
    upper.ends_with("_UTF8")
        || CODE_PAGES_MISREAD.iter().any(|page| upper.contains(page))
        || LANGUAGES_WITH_HOLES.iter().any(|language| upper.starts_with(language))
}

/// The type as a CREATE TABLE would write it, `nvarchar(50)`.
impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sized = |f: &mut fmt::Formatter<'_>, name: &str, length: &Option<u16>| match length {
            Some(length) => write!(f, "{name}({length})"),
            None => write!(f, "{name}(max)"),
        };
        match self {
            SqlType::Bit => f.write_str("bit"),
            SqlType::TinyInt => f.write_str("tinyint"),
            SqlType::SmallInt => f.write_str("smallint"),
            SqlType::Int => f.write_str("int"),
            SqlType::BigInt => f.write_str("bigint"),
            SqlType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            SqlType::Money => f.write_str("money"),
            SqlType::SmallMoney => f.write_str("smallmoney"),
            SqlType::Real => f.write_str("real"),
            SqlType::Float => f.write_str("float"),
            SqlType::Char { length } => write!(f, "char({length})"),
            SqlType::VarChar { length } => sized(f, "varchar", length),
            SqlType::Text => f.write_str("text"),
            SqlType::NChar { length } => write!(f, "nchar({length})"),
            SqlType::NVarChar { length } => sized(f, "nvarchar", length),
            SqlType::NText => f.write_str("ntext"),
            SqlType::Xml => f.write_str("xml"),
            SqlType::Json => f.write_str("json"),
            SqlType::Binary { length } => write!(f, "binary({length})"),
            SqlType::VarBinary { length } => sized(f, "varbinary", length),
            SqlType::Image => f.write_str("image"),
            SqlType::RowVersion => f.write_str("rowversion"),
            SqlType::UniqueIdentifier => f.write_str("uniqueidentifier"),
            SqlType::Date => f.write_str("date"),
            SqlType::Time { scale } => write!(f, "time({scale})"),
            SqlType::DateTime => f.write_str("datetime"),
            SqlType::SmallDateTime => f.write_str("smalldatetime"),
            SqlType::DateTime2 { scale } => write!(f, "datetime2({scale})"),
            SqlType::DateTimeOffset { scale } => write!(f, "datetimeoffset({scale})"),
            SqlType::SqlVariant => f.write_str("sql_variant"),
            SqlType::HierarchyId => f.write_str("hierarchyid"),
            SqlType::Geometry => f.write_str("geometry"),
            SqlType::Geography => f.write_str("geography"),
            SqlType::Clr { name } => f.write_str(name),
        }
    }
}
