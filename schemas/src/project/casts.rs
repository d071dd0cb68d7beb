//! `[casts]`: columns that the server converts before they are read, `"dbo.Documents.Embedding" = "nvarchar(max)"`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_spanned::Spanned;

use crate::diagnostic::Diagnostic;
use crate::sql_type::{DeclarationError, SqlType};

/// A column that is read as another type: a way out for types that no dump can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// Its table, `dbo.Documents`.
    pub table: String,
    /// Its name.
    pub column: String,
    /// The type that the server converts it to.
    pub sql_type: SqlType,
}

/// Every entry, or the place of one that can't be.
pub(super) fn checked(
    path: &Path,
    text: &str,
    casts: &BTreeMap<String, Spanned<String>>,
) -> Result<Vec<Cast>, Box<Diagnostic>> {
    casts.iter().map(|(column, declared)| cast(path, text, column, declared)).collect()
}

fn cast(path: &Path, text: &str, name: &str, declared: &Spanned<String>) -> Result<Cast, Box<Diagnostic>> {
    let refused = |message: String| Diagnostic::at(path, text, declared.span(), message);
    let Some((table, column)) = name.rsplit_once('.').filter(|(table, _)| table.contains('.')) else {
        let example = "a cast names schema, table and column: `\"dbo.Documents.Embedding\" = \"nvarchar(max)\"`";
        return Err(Box::new(refused(format!("`{name}` isn't a column's whole name")).help(example)));
    };
    let sql_type =
        declared.get_ref().parse().map_err(|error: DeclarationError| Box::new(refused(error.to_string())))?;
    Ok(Cast { table: table.to_string(), column: column.to_string(), sql_type })
}
