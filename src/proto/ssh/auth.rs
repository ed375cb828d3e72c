//! Attempts to log in, told from the sizes and the order of encrypted packets.
//!
//! RFC 4252: the client asks for the service, then sends one request after the other; the server
//! answers each with a failure that lists the methods, a success of a single byte, or something
//! that is neither (a key would do, a prompt). The failure has the same length every time and the
//! success the least that any message can have. Zeek's `ssh` analyzer was the first to use that; this
//! one also knows the exact lengths from the negotiated algorithms, so that it needs no reference
//! packet, sees clients that do not ask for the methods first (ncrack, paramiko), and the last
//! attempt, which the server answers by disconnecting.

use std::time::Duration;

use super::suite::Suite;
use crate::time::Timestamp;

/// SSH_MSG_USERAUTH_SUCCESS.
const SUCCESS: u32 = 1;
/// SSH_MSG_SERVICE_ACCEPT with `ssh-userauth`.
const ACCEPT: u32 = 17;
/// SSH_MSG_USERAUTH_REQUEST with method `none`, without the user's name.
const NONE: u32 = 31;
/// The longest user name that is believed in a request that may be a `none`.
const LONGEST_USER: u32 = 16;
/// SSH_MSG_USERAUTH_FAILURE: from `password` alone to `publickey,gssapi-keyex,gssapi-with-mic,password`.
const FAILURES: std::ops::RangeInclusive<u32> = 14..=59;
/// SSH_MSG_USERAUTH_INFO_REQUEST with the one prompt `Password: `.
const PROMPT: u32 = 32;
/// SSH_MSG_USERAUTH_PK_OK repeats the key: at least the 51 bytes of an Ed25519 one.
const KEY_ACCEPTED: u32 = 60;
/// A request that carries a signature, or offers an RSA key.
const WITH_KEY: u32 = 150;
/// A request that offers an elliptic-curve key without a signature.
const KEY_OFFER: std::ops::RangeInclusive<u32> = 95..=149;
/// No person types a password, and no PAM stack refuses one, as fast as keys are offered and refused.
const PROMPTLY: Duration = Duration::from_millis(250);
/// OpenSSH disconnects after `MaxAuthTries` failures, 6 by default; fewer than this is no reason.
const DISCONNECTS_AFTER: u32 = 2;

/// An attempt to log in and how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) method: &'static str,
    pub(super) success: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    size: u32,
    at: Timestamp,
    /// How long the client took after the answer before.
    after: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Reply {
    size: u32,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client has not sent anything encrypted.
    Waiting,
    /// The client asked for the service.
    Asked,
    /// The service was granted; attempts follow.
    Open,
    /// Somebody is in.
    Done,
}

/// What is neither failure nor success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenge {
    Key,
    Prompt,
}

/// Follows the authentication of one connection.
#[derive(Debug)]
pub(super) struct Auth {
    to_server: Suite,
    to_client: Suite,
    is_openssh: bool,
    /// The client is known to try a password at once.
    never_probes: bool,
    stage: Stage,
    request: Option<Request>,
    reply: Option<Reply>,
    last_reply: Option<Timestamp>,
    /// Requests that were answered.
    answered: u32,
    /// The request for the list of methods, if the first one looked like it.
    probe: Option<Request>,
    /// What a failure takes on the wire, once it is known.
    failure: Option<u32>,
    challenge: Option<Challenge>,
    failures: u32,
}

impl Auth {
    pub(super) fn new(to_server: Suite, to_client: Suite, client: &str) -> Self {
        Self {
            to_server,
            to_client,
            is_openssh: client.contains("OpenSSH"),
            never_probes: client.contains("paramiko"),
            stage: Stage::Waiting,
            request: None,
            reply: None,
            last_reply: None,
            answered: 0,
            probe: None,
            failure: None,
            challenge: None,
            failures: 0,
        }
    }

    /// Whether somebody was let in.
    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The client sent `size` bytes: a packet, or a segment where packets cannot be told apart.
    pub(super) fn on_client(&mut self, at: Timestamp, size: u32, out: &mut Vec<Attempt>) {
        match self.stage {
            Stage::Waiting => self.stage = Stage::Asked,
            Stage::Done => {}
            Stage::Asked | Stage::Open => {
                if let (Some(request), Some(reply)) = (self.request, self.reply) {
                    self.judge(request, reply, out);
                }
                let after = self.last_reply.map_or(Duration::ZERO, |last| at.since(last));
                match &mut self.request {
                    // Split over segments, or accompanied by packets that say nothing.
                    Some(request) => request.size = request.size.max(size),
                    None => self.request = Some(Request { size, at, after }),
                }
            }
        }
    }

    /// The server sent `size` bytes.
    pub(super) fn on_server(&mut self, at: Timestamp, size: u32, out: &mut Vec<Attempt>) {
        match self.stage {
            // Extensions (RFC 8308) may come before anything is asked.
            Stage::Waiting | Stage::Done => {}
            Stage::Asked => self.on_accept(at, size),
            Stage::Open => {
                let Some(request) = self.request else { return };
                self.last_reply = Some(at);
                self.reply = Some(Reply { size, at });
                if size == self.to_client.wire(SUCCESS) {
                    self.stage = Stage::Done;
                    out.push(Attempt { method: self.method_of_success(request), success: true });
                } else if self.failure == Some(size) {
                    self.judge(request, Reply { size, at }, out);
                }
            }
        }
    }

    /// The connection is over.
    pub(super) fn on_end(&mut self, out: &mut Vec<Attempt>) {
        let (Some(request), Some(reply)) = (self.request.take(), self.reply.take()) else { return };
        if self.stage != Stage::Open || self.could_be_probe(request) {
            return;
        }
        let is_failure = self.failure.is_none() && self.is_plausible_failure(reply.size);
        let is_disconnect = self.failures >= DISCONNECTS_AFTER && self.challenge.is_none();
        if is_failure || is_disconnect {
            self.fail(request, reply, out);
        }
    }

    fn on_accept(&mut self, at: Timestamp, size: u32) {
        let accept = self.to_client.wire(ACCEPT);
        if self.to_client.shows_length() && size != accept {
            return;
        }
        self.stage = Stage::Open;
        self.last_reply = Some(at);
        // Dropbear's client sends its first request without waiting; both answers may share a
        // segment.
        let rest = size.saturating_sub(accept);
        if let Some(request) = self.request
            && self.is_plausible_failure(rest)
        {
            self.judge(request, Reply { size: rest, at }, &mut Vec::new());
        }
    }

    /// Takes `reply` as the answer to `request`.
    fn judge(&mut self, request: Request, reply: Reply, out: &mut Vec<Attempt>) {
        self.request = None;
        self.reply = None;
        if self.could_be_probe(request) {
            self.probe = Some(request);
            self.failure = self.is_plausible_failure(reply.size).then_some(reply.size);
        } else if self.failure == Some(reply.size)
            || (self.failure.is_none()
                && self.is_plausible_failure(reply.size)
                && !self.is_plain_prompt(reply.size))
        {
            self.failure = Some(reply.size);
            if self.answered == 1
                && let Some(probe) = self.probe.filter(|probe| self.was_attempt(*probe, request))
            {
                self.fail(probe, reply, out);
            }
            self.fail(request, reply, out);
        } else {
            let least = *self.to_client.payload(reply.size).start();
            let is_key = least >= KEY_ACCEPTED;
            self.challenge = Some(if is_key { Challenge::Key } else { Challenge::Prompt });
        }
        self.answered = self.answered.saturating_add(1);
    }

    fn fail(&mut self, request: Request, reply: Reply, out: &mut Vec<Attempt>) {
        self.failures = self.failures.saturating_add(1);
        let payload = self.to_server.payload(request.size);
        let is_prompt = reply.at.since(request.at) < PROMPTLY && request.after < PROMPTLY;
        let may_offer = KEY_OFFER.contains(payload.start()) || KEY_OFFER.contains(payload.end());
        let method = match self.challenge.take() {
            Some(Challenge::Prompt) => "keyboard-interactive",
            Some(Challenge::Key) => "publickey",
            None if *payload.start() >= WITH_KEY => "publickey",
            None if self.is_openssh && may_offer && is_prompt => "publickey",
            None => "password",
        };
        out.push(Attempt { method, success: false });
    }

    fn method_of_success(&self, request: Request) -> &'static str {
        let least = *self.to_server.payload(request.size).start();
        match self.challenge {
            Some(Challenge::Key) => "publickey",
            Some(Challenge::Prompt) => "keyboard-interactive",
            None if least >= WITH_KEY => "publickey",
            None if self.could_be_probe(request) => "none",
            None => "password",
        }
    }

    /// Whether this is a first request that may only ask for the list of methods.
    fn could_be_probe(&self, request: Request) -> bool {
        let least = *self.to_server.payload(request.size).start();
        self.answered == 0 && !self.never_probes && least <= NONE + LONGEST_USER
    }

    /// Whether the supposed probe was as long as the attempt after it: then it carried a password.
    fn was_attempt(&self, probe: Request, next: Request) -> bool {
        next.size < probe.size || (next.size == probe.size && self.to_server.block() == 8)
    }

    fn is_plausible_failure(&self, size: u32) -> bool {
        let payload = self.to_client.payload(size);
        FAILURES.contains(payload.start()) || FAILURES.contains(payload.end())
    }

    /// Whether it is a prompt rather than a failure: where blocks are short enough to tell.
    fn is_plain_prompt(&self, size: u32) -> bool {
        self.to_client.block() == 8 && size == self.to_client.wire(PROMPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Talk {
        auth: Auth,
        now: i64,
        out: Vec<Attempt>,
    }

    impl Talk {
        fn new(cipher: &str, code: &str, client: &str) -> Self {
            let suite = Suite::new(cipher, code).unwrap();
            Self { auth: Auth::new(suite, suite, client), now: 0, out: Vec::new() }
        }

        /// Sizes as they came, negative ones from the server, a second apart.
        fn play(mut self, sizes: &[i32]) -> Vec<Attempt> {
            for &size in sizes {
                self.now += 1;
                let at = Timestamp::from_secs(self.now);
                if size > 0 {
                    self.auth.on_client(at, size as u32, &mut self.out);
                } else {
                    self.auth.on_server(at, size.unsigned_abs(), &mut self.out);
                }
            }
            self.auth.on_end(&mut self.out);
            self.out
        }
    }

    const fn failed(method: &'static str) -> Attempt {
        Attempt { method, success: false }
    }

    const fn entered(method: &'static str) -> Attempt {
        Attempt { method, success: true }
    }

    #[test]
    fn counts_every_guess_of_hydra_in_one_connection() {
        // hydra (libssh 0.6.3) against OpenSSH 6.7: `none`, five refusals, then a disconnect.
        let talk = Talk::new("aes256-ctr", "hmac-sha1", "SSH-2.0-libssh-0.6.3");
        let mut sizes = vec![52, -52, 68, -68];
        for _ in 0..5 {
            sizes.extend([84, -68]);
        }
        sizes.extend([84, -132]);

        assert_eq!(talk.play(&sizes), [failed("password"); 6]);
    }

    #[test]
    fn sees_a_guess_that_comes_without_asking_for_methods() {
        // ncrack says it is OpenSSH and sends a password at once.
        let cipher = "chacha20-poly1305@openssh.com";
        let talk = Talk::new(cipher, "umac-64-etm@openssh.com", "SSH-2.0-OpenSSH_7.1");

        assert_eq!(talk.play(&[44, -44, 84, -52]), [failed("password")]);
    }

    #[test]
    fn asking_for_the_methods_is_no_guess() {
        let talk = Talk::new("aes256-ctr", "hmac-sha2-256", "SSH-2.0-libssh-0.7.3");

        assert_eq!(talk.play(&[64, -64, 80, -80]), []);
    }

    #[test]
    fn knows_that_paramiko_guesses_at_once() {
        let talk = Talk::new("aes128-ctr", "hmac-sha2-256", "SSH-2.0-paramiko_2.7.2");

        assert_eq!(talk.play(&[64, -64, 96, -80]), [failed("password")]);
    }

    #[test]
    fn tells_refused_keys_from_refused_passwords() {
        // OpenSSH 6.2 offers an RSA key, then somebody types passwords.
        let code = "hmac-sha1-etm@openssh.com";
        let talk = Talk::new("aes128-ctr", code, "SSH-2.0-OpenSSH_6.2");

        let attempts = talk.play(&[56, -56, 72, -56, 376, -56, 152, -56, 152, -40]);

        assert_eq!(attempts, [failed("publickey"), failed("password"), entered("password")]);
    }

    #[test]
    fn a_key_that_would_do_is_neither_failure_nor_success() {
        let talk = Talk::new("chacha20-poly1305@openssh.com", "", "SSH-2.0-OpenSSH_9.6");
        // `none`, an offered Ed25519 key, the answer that repeats it, the signature.
        let attempts = talk.play(&[44, -44, 60, -52, 148, -100, 236, -28]);

        assert_eq!(attempts, [entered("publickey")]);
    }

    #[test]
    fn a_prompt_is_neither_failure_nor_success() {
        let talk = Talk::new("chacha20-poly1305@openssh.com", "", "SSH-2.0-OpenSSH_9.6");
        // Failures here list `publickey,keyboard-interactive`.
        let attempts = talk.play(&[44, -44, 60, -68, 84, -60, 84, -68, 84, -60, 84, -44, 84, -28]);

        assert_eq!(attempts, [failed("keyboard-interactive"), entered("keyboard-interactive")]);
    }

    #[test]
    fn extensions_beside_the_first_answer_do_not_hide_later_failures() {
        // OpenSSH 9.5 and later send SSH_MSG_EXT_INFO again with the first answer.
        let talk = Talk::new("chacha20-poly1305@openssh.com", "", "SSH-2.0-OpenSSH_9.6");

        let attempts = talk.play(&[44, -44, 60, -456, 148, -52, 148, -28]);

        assert_eq!(attempts, [failed("password"), entered("password")]);
    }

    #[test]
    fn giving_up_at_the_prompt_is_no_failure() {
        let talk = Talk::new("chacha20-poly1305@openssh.com", "", "SSH-2.0-OpenSSH_9.6");

        assert_eq!(talk.play(&[44, -44, 60, -68, 84, -60]), []);
    }

    #[test]
    fn says_nothing_without_a_server() {
        let talk = Talk::new("aes256-ctr", "hmac-sha1", "x");

        assert_eq!(talk.play(&[52, 68, 84, 84]), []);
    }
}
