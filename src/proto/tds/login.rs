//! LOGIN7: who wants in, from where, with which program ([MS-TDS] 2.2.6.4).

use super::wide;
use crate::proto::bytes::le16;

/// The protocol allows 128 characters.
const MAX_NAME: usize = 128;

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LoginRequest {
    pub(super) host: Option<String>,
    pub(super) user: Option<String>,
    pub(super) app: Option<String>,
    pub(super) server: Option<String>,
    pub(super) database: Option<String>,
    /// It proves its account by Windows' own means.
    pub(super) is_integrated: bool,
}

impl LoginRequest {
    /// Reads the body of a LOGIN7 message.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        // 36 bytes of numbers, then places and lengths, the latter in characters.
        let part = |at: usize| {
            let start = usize::from(le16(data, at)?);
            let length = usize::from(le16(data, at + 2)?).min(MAX_NAME);
            let text = wide(data.get(start..start + 2 * length)?, MAX_NAME);
            (!text.is_empty()).then_some(text)
        };
        let flags = *data.get(25)?;
        Some(Self {
            host: part(36),
            user: part(40),
            app: part(48),
            server: part(52),
            database: part(68),
            is_integrated: flags & 0x80 != 0,
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        [&self.host, &self.user, &self.app, &self.server, &self.database]
            .iter()
            .map(|text| text.as_ref().map_or(0, String::capacity))
            .sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::utf16;
    use super::*;

    /// A LOGIN7 body.
    pub(in crate::proto::tds) fn request(user: &str, host: &str, app: &str) -> Vec<u8> {
        let mut data = vec![0; 94];
        let mut put = |at: usize, text: &str| {
            let place = data.len() as u16;
            data[at..at + 2].copy_from_slice(&place.to_le_bytes());
            data[at + 2..at + 4].copy_from_slice(&(text.len() as u16).to_le_bytes());
            data.extend(utf16(text));
        };
        put(36, host);
        put(40, user);
        put(48, app);
        data
    }

    #[test]
    fn reads_who_wants_in() {
        let login = LoginRequest::read(&request("sa", "PC", "app")).unwrap();

        assert_eq!(login.user.as_deref(), Some("sa"));
        assert_eq!(login.host.as_deref(), Some("PC"));
        assert_eq!(login.database, None);
        assert!(!login.is_integrated);
    }

    #[test]
    fn a_place_outside_of_the_message_is_none() {
        let mut data = request("sa", "PC", "app");
        data[40] = 0xff;
        data[41] = 0xff;

        assert_eq!(LoginRequest::read(&data).unwrap().user, None);
        assert_eq!(LoginRequest::read(&data[..20]), None);
    }
}
