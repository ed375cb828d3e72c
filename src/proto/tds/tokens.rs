//! What a response comes to: its tokens, as far as their length is known ([MS-TDS] 2.2.7).

use super::wide;
use crate::proto::cursor::Cursor;

/// Messages are kept up to here.
const MAX_TEXT: usize = 512;

const ERROR: u8 = 0xaa;
const INFO: u8 = 0xab;
const LOGIN_ACK: u8 = 0xad;
const ENVIRONMENT: u8 = 0xe3;
const ORDER: u8 = 0xa9;
const RETURN_STATUS: u8 = 0x79;
const COLUMNS: u8 = 0x81;

/// What a response comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) success: Option<bool>,
    pub(super) error: Option<i32>,
    pub(super) message: Option<String>,
    /// The account that a refused login was for.
    pub(super) user: Option<String>,
}

impl Outcome {
    /// Reads tokens up to the first whose length is not known, such as a row.
    pub(super) fn read(message: &[u8]) -> Self {
        let mut rest = Cursor::new(message);
        let mut outcome = Self::default();
        while let Some(token) = rest.u8() {
            match token {
                ERROR | INFO | LOGIN_ACK | ENVIRONMENT | ORDER => {
                    let Some(length) = rest.le16() else { break };
                    let body = rest.take_most(usize::from(length));
                    match token {
                        ERROR if outcome.error.is_none() => outcome.on_error(body),
                        LOGIN_ACK => outcome.success = outcome.success.or(Some(true)),
                        _ => {}
                    }
                }
                RETURN_STATUS => {
                    rest.take(4);
                }
                // Rows follow: whatever is wrong with them, the statement ran.
                COLUMNS => {
                    outcome.success = outcome.success.or(Some(true));
                    break;
                }
                // DONE, DONEPROC, DONEINPROC: a status, and its second bit is an error.
                0xfd..=0xff => {
                    let is_error = rest.le16().is_some_and(|status| status & 2 != 0);
                    outcome.success = outcome.success.or(Some(!is_error));
                    rest.take(10);
                }
                _ => break,
            }
        }
        outcome
    }

    fn on_error(&mut self, body: &[u8]) {
        let mut rest = Cursor::new(body);
        self.success = Some(false);
        self.error = rest.le32().map(u32::cast_signed);
        rest.take(2);
        let length = rest.le16().unwrap_or(0);
        let message = wide(rest.take_most(usize::from(length) * 2), MAX_TEXT);
        // "Login failed for user 'sa'."
        if self.error == Some(18_456) {
            self.user = message.split('\'').nth(1).map(str::to_owned).filter(|u| !u.is_empty());
        }
        self.message = Some(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_a_success_by_what_follows_it() {
        let done = [0xfd, 0x10, 0, 0xc1, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let failed = [0xfd, 2, 0, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

        assert_eq!(Outcome::read(&done).success, Some(true));
        assert_eq!(Outcome::read(&failed).success, Some(false));
        assert_eq!(Outcome::read(&[0x81, 1, 0]).success, Some(true));
        assert_eq!(Outcome::read(&[0xe3, 1, 0, 9, 0xad, 0, 0]).success, Some(true));
        assert_eq!(Outcome::read(&[]).success, None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(data: Vec<u8>) {
            let _ = Outcome::read(&data);
        }
    }
}
