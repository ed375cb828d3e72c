//! A request and its response, as one record is made of them.

use super::super::bytes::{contains, starts_with_any_case};
use super::super::file::FileWatch;
use super::super::{Findings, Role};
use super::auth::{Credentials, parameter};
use super::body::Body;
use super::head::{Head, Request, Response, unescape, value_text};
use super::wsman::Envelope;
use crate::event::{Http, Login};

/// Headers that only a proxy adds (Zeek's list).
const OF_PROXIES: &[&str] = &[
    "FORWARDED",
    "X-FORWARDED-FOR",
    "X-FORWARDED-FROM",
    "CLIENT-IP",
    "VIA",
    "XROXY-CONNECTION",
    "PROXY-CONNECTION",
];

/// Such headers of one request that are kept.
const MAX_PROXIED: usize = 8;

/// A request, and its response as far as it came.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    record: Http,
    /// The request had no version, so that the response has no head.
    simple: bool,
    /// The client waits for 100 before it sends the body.
    waits: bool,
    /// A status other than a preliminary one came.
    answered: bool,
    credentials: Option<Credentials>,
    /// The server wants the same proof again, over a newer nonce (RFC 7616 section 3.3).
    stale: bool,
    /// Where a proxy shall connect to.
    tunnel: Option<u16>,
    /// Sizes that the two heads say.
    sizes: (Option<u64>, Option<u64>),
    upload: Option<Box<FileWatch>>,
    download: Option<Box<FileWatch>>,
    envelope: Option<Box<Envelope>>,
}

impl Exchange {
    /// An exchange whose request was not seen.
    pub(super) fn unasked(depth: u32) -> Self {
        Self { record: Http { trans_depth: depth, ..Http::default() }, ..Self::default() }
    }

    /// An exchange that begins with this request; what its body is like.
    pub(super) fn ask(depth: u32, line: Request<'_>, head: Head<'_>) -> (Self, Body) {
        let mut this = Self::unasked(depth);
        let mut framing = Framing::default();
        let mut content_type: &[u8] = b"";
        let record = &mut this.record;
        for (name, value) in head.fields() {
            let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
            framing.on_field(name, value);
            if is("host") {
                record.host = Some(value_text(value));
            } else if is("user-agent") {
                record.user_agent = Some(value_text(value));
            } else if is("referer") {
                record.referrer = Some(value_text(value));
            } else if is("origin") {
                record.origin = Some(value_text(value));
            } else if is("authorization") || is("proxy-authorization") {
                this.credentials = Credentials::read(value).or(this.credentials);
            } else if is("content-type") {
                content_type = value;
            } else if is("expect") {
                this.waits = starts_with_any_case(value, b"100-continue");
            } else if let Some(name) = OF_PROXIES.iter().find(|name| is(name))
                && record.proxied.len() < MAX_PROXIED
            {
                record.proxied.push(format!("{name} -> {}", value_text(value)));
            }
        }
        if let Some(Credentials::Named("password", user)) = &this.credentials {
            record.username.clone_from(user);
        }
        record.method = Some(String::from_utf8_lossy(line.method).into_owned());
        record.uri = Some(unescape(line.target));
        this.simple = line.version.is_none();
        if line.method == b"CONNECT" {
            let port = line.target.rsplit(|&b| b == b':').next().unwrap_or_default();
            let port = std::str::from_utf8(port).ok().and_then(|port| port.parse().ok());
            this.tunnel = Some(port.unwrap_or(443));
        }
        if Envelope::is_asked_of(line.target) {
            this.envelope = Some(Box::new(Envelope::new(content_type)));
        }
        this.sizes.0 = framing.length.filter(|_| !framing.is_chunked);
        (this, framing.body(Body::Done))
    }

    /// Takes the head of the response, or of a preliminary one; what its body is like, and what it
    /// says about authentication.
    pub(super) fn answer(
        &mut self,
        line: Response<'_>,
        head: Head<'_>,
    ) -> (Body, Option<Credentials>) {
        let mut framing = Framing::default();
        let (mut challenge, mut name) = (None, None);
        for (field, value) in head.fields() {
            let is = |other: &str| field.eq_ignore_ascii_case(other.as_bytes());
            framing.on_field(field, value);
            if is("www-authenticate") || is("proxy-authenticate") {
                let stale = parameter(value, b"stale");
                self.stale |= stale.is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
                challenge = Credentials::read(value)
                    .filter(|read| matches!(read, Credentials::Token(_)))
                    .or(challenge);
            } else if is("content-disposition") {
                name = parameter(value, b"filename").or(name);
            }
        }
        let record = &mut self.record;
        record.version = Some(value_text(line.version));
        (record.status_code, record.status_msg) =
            (Some(line.status), Some(value_text(line.reason)));
        if (100..200).contains(&line.status) {
            (record.info_code, record.info_msg) = (record.status_code, record.status_msg.clone());
            return (Body::Done, challenge);
        }
        self.answered = true;
        record.resp_filenames.extend(name);
        let is_head = record.method.as_deref() == Some("HEAD");
        if is_head || matches!(line.status, 204 | 304) {
            return (Body::Done, challenge);
        }
        self.sizes.1 = framing.length.filter(|_| !framing.is_chunked);
        (framing.body(Body::UntilEnd), challenge)
    }

    /// The response has no head: what comes is content (HTTP/0.9).
    pub(super) fn answer_simply(&mut self) {
        self.answered = true;
        self.record.version = Some("0.9".to_owned());
        self.record.status_code = Some(0);
        self.record.status_msg = Some("<empty>".to_owned());
    }

    /// Takes content of the request.
    pub(super) fn on_request_body(&mut self, content: &[u8]) {
        if content.is_empty() {
            return;
        }
        self.record.request_body_len += content.len() as u64;
        if let Some(envelope) = &mut self.envelope {
            envelope.on_bytes(content);
            return;
        }
        if self.upload.is_none() {
            let mut file = FileWatch::new("HTTP", self.path_name()).by_client(true);
            if let Some(total) = self.sizes.0 {
                file.set_total(total);
            }
            self.upload = Some(Box::new(file));
        }
        if let Some(upload) = &mut self.upload {
            upload.on_bytes(content);
        }
    }

    /// Takes content of the response.
    pub(super) fn on_response_body(&mut self, content: &[u8]) {
        if content.is_empty() {
            return;
        }
        self.record.response_body_len += content.len() as u64;
        if self.envelope.is_some() {
            return;
        }
        if self.download.is_none() {
            let name = self.record.resp_filenames.first().cloned();
            let mut file = FileWatch::new("HTTP", name.or_else(|| self.path_name()));
            if let Some(total) = self.sizes.1 {
                file.set_total(total);
            }
            self.download = Some(Box::new(file));
        }
        if let Some(download) = &mut self.download {
            download.on_bytes(content);
        }
    }

    /// Content of `sender`'s message is missing here.
    pub(super) fn on_gap(&mut self, sender: Role, bytes: u64) {
        let file = match sender {
            Role::Client => &mut self.upload,
            Role::Server => &mut self.download,
        };
        if let Some(file) = file {
            file.on_gap(bytes);
        }
    }

    /// The request is complete.
    pub(super) fn end_request(&mut self, out: &mut Findings) {
        if let Some(file) = self.upload.take() {
            let file = file.finish();
            self.record.orig_mime_types.extend(file.mime_type);
            out.say(file);
        }
    }

    /// The exchange is over.
    pub(super) fn finish(mut self, out: &mut Findings) {
        self.end_request(out);
        if let Some(file) = self.download.take() {
            let file = file.finish();
            self.record.resp_mime_types.extend(file.mime_type);
            out.say(file);
        }
        if let Some(Credentials::Named(method, user)) = self.credentials {
            out.say(login(method, user, None));
        }
        let record = self.record;
        let winrm = self.envelope.and_then(|it| it.read(record.request_body_len));
        if let Some(mut winrm) = winrm {
            winrm.status_code = record.status_code;
            winrm.request_body_len = record.request_body_len;
            winrm.response_body_len = record.response_body_len;
            out.say(winrm);
        }
        out.say(record);
    }

    /// Its place in the connection.
    pub(super) const fn depth(&self) -> u32 {
        self.record.trans_depth
    }

    /// Whether the request had no version.
    pub(super) const fn is_simple(&self) -> bool {
        self.simple
    }

    /// Whether the response began.
    pub(super) const fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether the client waits for 100 before it sends what it announced.
    pub(super) const fn waits_for_leave(&self) -> bool {
        self.waits && self.record.request_body_len == 0
    }

    /// Where a proxy shall connect to.
    pub(super) const fn tunnel_port(&self) -> Option<u16> {
        self.tunnel
    }

    /// Whether the client was refused only because its nonce was too old.
    pub(super) const fn is_stale(&self) -> bool {
        self.stale
    }

    /// What the request says about authentication.
    pub(super) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Takes what the request says about authentication: its result is known.
    pub(super) fn take_credentials(&mut self) -> Option<Credentials> {
        self.credentials.take()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        let record = &self.record;
        let texts = [
            &record.method,
            &record.host,
            &record.uri,
            &record.referrer,
            &record.version,
            &record.user_agent,
            &record.origin,
            &record.status_msg,
            &record.info_msg,
            &record.username,
        ];
        let texts: usize = texts.into_iter().flatten().map(String::capacity).sum();
        let lists = record.proxied.iter().chain(&record.resp_filenames);
        let lists: usize = lists.map(|text| size_of::<String>() + text.capacity()).sum();
        let file = |file: &Option<Box<FileWatch>>| {
            file.as_ref().map_or(0, |file| size_of::<FileWatch>() + file.heap_bytes())
        };
        let credentials = match &self.credentials {
            Some(Credentials::Token(token)) => token.capacity(),
            Some(Credentials::Named(_, user)) => user.as_ref().map_or(0, String::capacity),
            None => 0,
        };
        let envelope = self.envelope.as_ref();
        let envelope = envelope.map_or(0, |it| size_of::<Envelope>() + it.heap_bytes());
        texts + lists + file(&self.upload) + file(&self.download) + credentials + envelope
    }

    /// The last part of the path that was asked for: how a downloader will name it.
    fn path_name(&self) -> Option<String> {
        let path = self.record.uri.as_deref()?.split(['?', '#']).next()?;
        let name = path.rsplit('/').next()?;
        (!name.is_empty()).then(|| name.to_owned())
    }
}

/// An attempt to log in to the server or to a proxy.
pub(super) fn login(method: &'static str, user: Option<String>, success: Option<bool>) -> Login {
    Login {
        protocol: "http",
        method,
        user,
        domain: None,
        workstation: None,
        success,
        inferred: false,
    }
}

/// What the fields of a head say about the length of the body (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Default)]
struct Framing {
    is_chunked: bool,
    length: Option<u64>,
}

impl Framing {
    fn on_field(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked |= contains(&value.to_ascii_lowercase(), b"chunked");
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).ok();
            self.length = digits.and_then(|digits| digits.parse().ok()).or(self.length);
        }
    }

    /// The body, which without any of the fields is `otherwise`.
    const fn body(self, otherwise: Body) -> Body {
        match (self.is_chunked, self.length) {
            (true, _) => Body::CHUNKED,
            (false, Some(0)) => Body::Done,
            (false, Some(length)) => Body::Length(length),
            (false, None) => otherwise,
        }
    }
}
