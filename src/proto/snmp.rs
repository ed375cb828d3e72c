//! SNMP (RFC 1157, RFC 3416, RFC 3414): who asks, with which community or account, and whether the
//! agent answers.
//!
//! An agent does not answer a community that it does not know. Silence alone proves nothing, as the
//! host may be down; but where it answers one community and not another, the other was refused.

use super::bytes::ber;
use super::render::text;
use super::{Dissector, Findings, Protocol, Role};
use crate::event::{Login, Snmp};
use crate::time::Timestamp;

/// Communities and accounts are kept up to here.
const MAX_NAME: usize = 64;
/// As many communities are told apart.
const MAX_COMMUNITIES: usize = 32;
/// Variables of a message that are looked at.
const MAX_VARIABLES: usize = 256;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const STRING: u8 = 0x04;

/// 1.3.6.1.2.1.1.1.0, the description of a system.
const DESCRIPTION: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 1, 0];
/// 1.3.6.1.6.3.15.1.1, why a message of version 3 was refused (RFC 3414 section 5).
const REFUSALS: &[u8] = &[0x2b, 6, 1, 6, 3, 15, 1, 1];

/// Reads one conversation.
#[derive(Debug, Default)]
pub(super) struct Dissection {
    record: Snmp,
    first: Option<Timestamp>,
    last: Timestamp,
    communities: Vec<Community>,
    user: Option<String>,
    is_user_settled: bool,
}

#[derive(Debug)]
struct Community {
    name: Vec<u8>,
    is_asked: bool,
    is_answered: bool,
}

impl Dissection {
    pub(super) fn new() -> Self {
        Self::default()
    }
}

impl Dissector for Dissection {
    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let Some(version) = self.on_message(sender, data, out) else { return };
        if self.first.is_none() {
            self.record.version = version;
        }
        let first = *self.first.get_or_insert(at);
        self.last = at;
        self.record.duration = at.since(first).as_micros() as f64 / 1e6;
    }

    fn on_gap(&mut self, _: Role, _: u64) {}

    fn on_end(&mut self, _: Timestamp, out: &mut Findings) {
        if self.first.is_none() {
            return;
        }
        let answers_any = self.communities.iter().any(|community| community.is_answered);
        for community in &self.communities {
            if community.is_asked && !community.is_answered {
                out.say(login("community", None, answers_any.then_some(false), true));
            }
        }
        let tried = self.communities.len() as u32;
        self.record.communities = (tried > 1).then_some(tried);
        out.say(std::mem::take(&mut self.record));
        self.first = None;
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.communities.len() * (size_of::<Community>() + MAX_NAME) + 512
    }
}

impl Dissection {
    fn on_message(
        &mut self,
        sender: Role,
        data: &[u8],
        out: &mut Findings,
    ) -> Option<&'static str> {
        let mut message = Ber(data).enter(SEQUENCE)?;
        match message.expect(INTEGER)? {
            [0] => self.on_community(sender, message, out).map(|()| "1"),
            [1] => self.on_community(sender, message, out).map(|()| "2c"),
            [3] => {
                self.on_version_3(sender, message, out);
                Some("3")
            }
            _ => None,
        }
    }

    fn on_community(
        &mut self,
        sender: Role,
        mut message: Ber<'_>,
        out: &mut Findings,
    ) -> Option<()> {
        let community = message.expect(STRING)?;
        if self.record.community.is_none() {
            self.record.community = Some(text(community, MAX_NAME));
        }
        let (kind, body) = message.next()?;
        let name = community.get(..MAX_NAME).unwrap_or(community);
        let is_request = matches!(kind, 0xa0 | 0xa1 | 0xa3 | 0xa5) && sender == Role::Client;
        let has_room = self.communities.len() < MAX_COMMUNITIES;
        if let Some(known) = self.communities.iter_mut().find(|known| known.name == name) {
            known.is_asked |= is_request;
            if sender == Role::Server && kind == 0xa2 && known.is_asked && !known.is_answered {
                known.is_answered = true;
                out.say(login("community", None, Some(true), false));
            }
        } else if has_room {
            let name = name.to_vec();
            self.communities.push(Community { name, is_asked: is_request, is_answered: false });
        }
        self.on_operation(kind, Ber(body));
        Some(())
    }

    /// Counts the variables of an operation; returns the name of the first.
    fn on_operation<'a>(&mut self, kind: u8, mut body: Ber<'a>) -> Option<&'a [u8]> {
        // A trap of version 1 has another form, and no count.
        if kind == 0xa4 {
            return None;
        }
        body.expect(INTEGER)?;
        body.expect(INTEGER)?;
        body.expect(INTEGER)?;
        let mut variables = body.enter(SEQUENCE)?;
        let mut first = None;
        let mut count = 0;
        while let Some(mut variable) = variables.enter_next(SEQUENCE) {
            count += 1;
            if count >= MAX_VARIABLES {
                break;
            }
            let (Some(name), Some((tag, value))) = (variable.expect(0x06), variable.next()) else {
                continue;
            };
            first = first.or(Some(name));
            if kind == 0xa2 && name == DESCRIPTION && tag == STRING {
                self.record.display_string = Some(text(value, 256));
            }
        }
        let count = count as u64;
        let counter = match kind {
            0xa0 | 0xa1 => &mut self.record.get_requests,
            0xa5 => &mut self.record.get_bulk_requests,
            0xa2 => &mut self.record.get_responses,
            0xa3 => &mut self.record.set_requests,
            _ => return first,
        };
        *counter = counter.saturating_add(count);
        first
    }

    fn on_version_3(
        &mut self,
        sender: Role,
        mut message: Ber<'_>,
        out: &mut Findings,
    ) -> Option<()> {
        message.expect(SEQUENCE)?;
        let mut security = Ber(message.expect(STRING)?).enter(SEQUENCE)?;
        // Engine, its boots and its time, then the account.
        security.expect(STRING)?;
        security.expect(INTEGER)?;
        security.expect(INTEGER)?;
        let user = security.expect(STRING)?;
        let user = (!user.is_empty()).then(|| text(user, MAX_NAME));
        if sender == Role::Client && user.is_some() && user != self.user {
            self.user.clone_from(&user);
            self.record.user.clone_from(&user);
            self.is_user_settled = false;
        }
        let (tag, scoped) = message.next()?;
        let mut operation = None;
        if tag == SEQUENCE {
            let mut scoped = Ber(scoped);
            scoped.expect(STRING)?;
            scoped.expect(STRING)?;
            operation = scoped.next();
        }
        let is_report = operation.is_some_and(|(kind, _)| kind == 0xa8);
        let first = operation.and_then(|(kind, body)| self.on_operation(kind, Ber(body)));
        if sender == Role::Server && self.user.is_some() && !self.is_user_settled {
            // .3 is an unknown account, .5 a wrong proof; others, such as a clock that is off, are
            // part of getting to know each other.
            let is_refusal = is_report
                && first.is_some_and(|name| {
                    name.strip_prefix(REFUSALS).is_some_and(|rest| matches!(rest, [3 | 5, ..]))
                });
            if is_refusal || !is_report {
                self.is_user_settled = true;
                out.say(login("usm", self.user.clone(), Some(!is_refusal), false));
            }
        }
        Some(())
    }
}

fn login(
    method: &'static str,
    user: Option<String>,
    success: Option<bool>,
    inferred: bool,
) -> Login {
    Login {
        protocol: Protocol::Snmp.as_str(),
        method,
        user,
        domain: None,
        workstation: None,
        success,
        inferred,
    }
}

/// The elements of a piece of BER.
#[derive(Clone, Copy)]
struct Ber<'a>(&'a [u8]);

impl<'a> Ber<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, start, length) = ber(self.0)?;
        let (content, rest) = self.0.get(start..)?.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next element, if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    fn enter_next(&mut self, tag: u8) -> Option<Self> {
        self.expect(tag).map(Self)
    }

    fn enter(mut self, tag: u8) -> Option<Self> {
        self.enter_next(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Record;
    use proptest::prelude::*;

    const C: Role = Role::Client;
    const S: Role = Role::Server;

    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, 0x82][..], &(content.len() as u16).to_be_bytes(), &content].concat()
    }

    fn operation(kind: u8, names: &[&[u8]], value: &[u8]) -> Vec<u8> {
        let number = element(INTEGER, &[&[1]]);
        let variables: Vec<u8> = names
            .iter()
            .flat_map(|name| element(SEQUENCE, &[&element(6, &[name]), &element(STRING, &[value])]))
            .collect();
        element(kind, &[&number, &number, &number, &element(SEQUENCE, &[&variables])])
    }

    fn version_2(community: &str, operation: &[u8]) -> Vec<u8> {
        element(
            SEQUENCE,
            &[&element(INTEGER, &[&[1]]), &element(STRING, &[community.as_bytes()]), operation],
        )
    }

    fn version_3(user: &str, operation: &[u8]) -> Vec<u8> {
        let number = element(INTEGER, &[&[1]]);
        let empty = element(STRING, &[]);
        let name = element(STRING, &[user.as_bytes()]);
        let security = element(SEQUENCE, &[&empty, &number, &number, &name, &empty, &empty]);
        element(
            SEQUENCE,
            &[
                &element(INTEGER, &[&[3]]),
                &element(SEQUENCE, &[&number]),
                &element(STRING, &[&security]),
                &element(SEQUENCE, &[&empty, &empty, operation]),
            ],
        )
    }

    /// An account and a result.
    type Tried = (Option<String>, Option<bool>);

    fn play(turns: &[(Role, Vec<u8>)]) -> (Vec<Tried>, Snmp) {
        let mut snmp = Dissection::new();
        let mut out = Findings::default();
        for (second, (sender, data)) in turns.iter().enumerate() {
            snmp.on_data(Timestamp::from_secs(second as i64), *sender, data, &mut out);
        }
        snmp.on_end(Timestamp::EPOCH, &mut out);
        let mut logins = Vec::new();
        let mut found = None;
        for record in out.records {
            match record {
                Record::Login(login) => logins.push((login.user, login.success)),
                Record::Snmp(snmp) => found = Some(snmp),
                other => panic!("{other:?}"),
            }
        }
        (logins, found.unwrap())
    }

    #[test]
    fn a_community_that_gets_no_answer_beside_one_that_does_was_refused() {
        let get = operation(0xa0, &[DESCRIPTION, &[1, 3]], b"");
        let answer = operation(0xa2, &[DESCRIPTION], b"Linux box");

        let (logins, snmp) = play(&[
            (C, version_2("private", &get)),
            (C, version_2("public", &get)),
            (S, version_2("public", &answer)),
        ]);

        assert_eq!(logins, [(None, Some(true)), (None, Some(false))]);
        assert_eq!((snmp.version, snmp.community.as_deref()), ("2c", Some("private")));
        assert_eq!((snmp.get_requests, snmp.get_responses), (4, 1));
        assert_eq!(snmp.display_string.as_deref(), Some("Linux box"));
        assert_eq!(snmp.communities, Some(2));
    }

    #[test]
    fn silence_alone_is_no_refusal() {
        let get = operation(0xa5, &[&[1, 3]], b"");

        let (logins, snmp) = play(&[(C, version_2("public", &get))]);

        assert_eq!(logins, [(None, None)]);
        assert_eq!(snmp.get_bulk_requests, 1);
    }

    #[test]
    fn tells_accounts_of_version_3_and_their_results() {
        let get = operation(0xa0, &[&[1, 3]], b"");
        let unknown = operation(0xa8, &[&[REFUSALS, &[3, 0]].concat()], b"");
        let late = operation(0xa8, &[&[REFUSALS, &[2, 0]].concat()], b"");
        let answer = operation(0xa2, &[&[1, 3]], b"");

        let (logins, _) = play(&[
            (C, version_3("", &get)),
            (C, version_3("mallory", &get)),
            (S, version_3("mallory", &unknown)),
            (C, version_3("alice", &get)),
            (S, version_3("alice", &late)),
            (S, version_3("alice", &answer)),
        ]);

        let name = |name: &str| Some(name.to_owned());
        assert_eq!(logins, [(name("mallory"), Some(false)), (name("alice"), Some(true))]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(datagrams: Vec<(bool, Vec<u8>)>, at: u16, byte: u8) {
            let mut snmp = Dissection::new();
            let mut out = Findings::default();
            let mut bent = version_3("alice", &operation(0xa8, &[DESCRIPTION], b"x"));
            let place = usize::from(at) % bent.len();
            bent[place] = byte;
            snmp.on_data(Timestamp::EPOCH, S, &bent, &mut out);
            for (is_client, data) in &datagrams {
                snmp.on_data(Timestamp::EPOCH, if *is_client { C } else { S }, data, &mut out);
            }
            snmp.on_end(Timestamp::EPOCH, &mut out);
            prop_assert!(snmp.bytes() < 8 * 1024);
        }
    }
}
