//! Statements and procedure calls ([MS-TDS] 2.2.6.7 and 2.2.6.6).

use super::wide;
use crate::proto::bytes::le32;
use crate::proto::cursor::Cursor;

/// Statements are kept up to here.
const MAX_STATEMENT: usize = 2048;

/// The statement of a batch.
pub(super) fn batch(message: &[u8]) -> Option<String> {
    Some(wide(behind_headers(message), MAX_STATEMENT)).filter(|text| !text.is_empty())
}

/// The procedure that is called, with the statement that it is to run, if it is to run one.
pub(super) fn procedure(message: &[u8]) -> Option<String> {
    let mut rest = Cursor::new(behind_headers(message));
    let length = rest.le16()?;
    let name = if length == 0xffff {
        well_known(rest.le16()?).to_owned()
    } else {
        wide(rest.take(usize::from(length) * 2)?, MAX_STATEMENT)
    };
    rest.le16()?;
    Some(match statement(rest) {
        Some(statement) => format!("{name} {statement}"),
        None => name,
    })
}

/// Since version 7.2 headers come first, with their own length before them.
fn behind_headers(message: &[u8]) -> &[u8] {
    match le32(message, 0) {
        Some(length @ 4..=256) => message.get(length as usize..).unwrap_or_default(),
        _ => message,
    }
}

/// The first parameter, if it is a string of UTF-16.
fn statement(mut rest: Cursor<'_>) -> Option<String> {
    let name = rest.u8()?;
    rest.take(usize::from(name) * 2)?;
    rest.u8()?;
    // NVARCHAR with its size and collation.
    if rest.u8()? != 0xe7 {
        return None;
    }
    let size = rest.le16()?;
    rest.take(5)?;
    let text = if size == 0xffff {
        // Of unlimited size: a total, then pieces; the first is enough.
        rest.take(8)?;
        let length = rest.le32()?;
        rest.take_most(usize::try_from(length).unwrap_or(usize::MAX))
    } else {
        let length = rest.le16()?;
        rest.take_most(usize::from(length))
    };
    Some(wide(text, MAX_STATEMENT)).filter(|text| !text.is_empty())
}

/// Procedures that are called by number ([MS-TDS] 2.2.6.6).
const fn well_known(number: u16) -> &'static str {
    match number {
        1 => "sp_cursor",
        2 => "sp_cursoropen",
        3 => "sp_cursorprepare",
        4 => "sp_cursorexecute",
        5 => "sp_cursorprepexec",
        6 => "sp_cursorunprepare",
        7 => "sp_cursorfetch",
        8 => "sp_cursoroption",
        9 => "sp_cursorclose",
        10 => "sp_executesql",
        11 => "sp_prepare",
        12 => "sp_execute",
        13 => "sp_prepexec",
        14 => "sp_prepexecrpc",
        15 => "sp_unprepare",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::utf16;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_statements_with_and_without_headers() {
        let text = utf16("select 1");
        let headed = [&22u32.to_le_bytes()[..], &[0; 18], &text].concat();

        assert_eq!(batch(&text).as_deref(), Some("select 1"));
        assert_eq!(batch(&headed).as_deref(), Some("select 1"));
        assert_eq!(batch(&[]), None);
    }

    #[test]
    fn reads_what_a_procedure_is_to_run() {
        let text = utf16("drop table x");
        let mut call = vec![0xff, 0xff, 10, 0, 0, 0, 0, 0, 0xe7, 0x40, 0x1f, 0, 0, 0, 0, 0];
        call.extend((text.len() as u16).to_le_bytes());
        call.extend(text);
        let named = [&[11, 0][..], &utf16("xp_cmdshell"), &[0, 0]].concat();

        assert_eq!(procedure(&call).as_deref(), Some("sp_executesql drop table x"));
        assert_eq!(procedure(&named).as_deref(), Some("xp_cmdshell"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let _ = batch(&data);
            let _ = procedure(&data);
        }
    }
}
