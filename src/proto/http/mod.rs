//! HTTP/1 (RFC 9110, RFC 9112): what is asked of whom and what comes of it, the files that cross,
//! who logs in, and what WinRM is told.
//!
//! Responses belong to requests by their order, so that pipelining needs a queue. After a gap the
//! thread is taken up where a segment begins with a request line or a status line.

mod auth;
mod body;
mod exchange;
mod head;
mod wsman;

use std::collections::VecDeque;

use self::auth::Credentials;
use self::body::Body;
use self::exchange::{Exchange, login};
use self::head::{Collected, Collector, Head};
use super::unwrapped::Unwrapped;
use super::{Dissector, Findings, Role, gss};
use crate::event::Conversation;
use crate::time::Timestamp;

/// Requests that wait for their responses; nobody pipelines more (Zeek's `max_pending_requests`).
const MAX_PENDING: usize = 100;

/// Bytes that they may hold.
const MAX_HELD: usize = 64 << 10;

/// Reads an HTTP/1 connection.
#[derive(Debug, Default)]
pub(super) struct Http {
    talk: Option<Conversation>,
    client: Direction,
    server: Direction,
    /// Requests in order; the first is the one that the server answers.
    pending: VecDeque<Exchange>,
    /// Bytes that they hold on the heap.
    held: usize,
    depth: u32,
    /// An authentication of the connection that is not decided.
    login: Option<Box<gss::Exchange>>,
    /// What a proxy was asked to carry.
    tunnel: Option<Box<Unwrapped>>,
    /// Whether it is inside a tunnel itself, and another in it stays closed: each takes stack.
    is_innermost: bool,
    /// Whether another protocol has taken over.
    is_over: bool,
}

#[derive(Debug, Default)]
struct Direction {
    stage: Stage,
    head: Collector,
    /// The exchange whose message it is in.
    depth: u32,
}

/// Where in its messages a direction is.
#[derive(Debug, Default)]
enum Stage {
    /// At or in a head.
    #[default]
    Head,
    Body(Body),
    /// Nowhere that is known.
    Lost,
}

impl Direction {
    fn lose(&mut self) {
        *self = Self { stage: Stage::Lost, ..Self::default() };
    }

    /// The body of a message begins, if it has one.
    const fn enter(&mut self, body: Body) {
        self.stage = if body.is_done() { Stage::Head } else { Stage::Body(body) };
    }
}

impl Http {
    /// Reads what a tunnel carries.
    pub(super) fn inside_tunnel() -> Self {
        Self { is_innermost: true, ..Self::default() }
    }

    /// Takes what the client sent next; returns the rest of it, which is shorter.
    fn on_request_bytes<'d>(&mut self, data: &'d [u8], out: &mut Findings) -> &'d [u8] {
        let client = &mut self.client;
        match &mut client.stage {
            Stage::Lost => &[],
            Stage::Head => {
                if client.head.is_empty() {
                    match data.first() {
                        Some(b'\r' | b'\n') => return data.get(1..).unwrap_or_default(),
                        Some(b) if b.is_ascii_alphabetic() => {}
                        _ => {
                            client.lose();
                            return &[];
                        }
                    }
                }
                match client.head.take(data) {
                    Collected::More => &[],
                    Collected::TooLong => {
                        client.lose();
                        &[]
                    }
                    Collected::Whole(head, rest) => {
                        if !self.on_request(Head::new(&head), out) {
                            self.client.lose();
                        }
                        rest
                    }
                }
            }
            Stage::Body(body) => {
                let (content, rest) = body.take(data);
                let is_done = body.is_done();
                let depth = client.depth;
                if let Some(exchange) = self.pending.iter_mut().rev().find(|it| it.depth() == depth)
                {
                    exchange.on_request_body(content);
                    if is_done {
                        exchange.end_request(out);
                    }
                }
                if is_done {
                    self.client.stage = Stage::Head;
                }
                rest
            }
        }
    }

    /// Takes the head of a request; returns whether it is one.
    fn on_request(&mut self, head: Head<'_>, out: &mut Findings) -> bool {
        let Some(line) = head.request() else { return false };
        if line.method == b"PRI" {
            // The preface of HTTP/2 (RFC 9113 section 3.4).
            self.is_over = true;
            return true;
        }
        if matches!(self.server.stage, Stage::Lost) {
            // Who asks again was answered, in what is missing.
            while let Some(exchange) = self.pending.pop_front() {
                exchange.finish(out);
            }
        }
        self.depth = self.depth.saturating_add(1);
        let (exchange, body) = Exchange::ask(self.depth, line, head);
        let credentials = exchange.credentials().cloned();
        self.client.depth = self.depth;
        self.client.enter(body);
        self.pending.push_back(exchange);
        if let Some(Credentials::Token(token)) = credentials {
            let login = self.login.get_or_insert_with(|| Box::new(gss::Exchange::new("http")));
            login.on_token(&token);
        }
        self.limit(out);
        true
    }

    fn limit(&mut self, out: &mut Findings) {
        self.held = self.pending.iter().map(Exchange::bytes).sum();
        while self.pending.len() > MAX_PENDING || (self.held > MAX_HELD && self.pending.len() > 1) {
            let Some(exchange) = self.pending.pop_front() else { break };
            self.held = self.held.saturating_sub(exchange.bytes());
            exchange.finish(out);
            self.server.lose();
        }
    }

    /// Takes what the server sent next; returns the rest of it, which is shorter.
    fn on_response_bytes<'d>(&mut self, data: &'d [u8], out: &mut Findings) -> &'d [u8] {
        let server = &mut self.server;
        match &mut server.stage {
            Stage::Lost => &[],
            Stage::Head => {
                if server.head.is_empty() {
                    if let Some(b'\r' | b'\n') = data.first() {
                        return data.get(1..).unwrap_or_default();
                    }
                    if !begins_like_response(data) {
                        return self.on_simple_response(data, out);
                    }
                }
                match server.head.take(data) {
                    Collected::More => &[],
                    Collected::TooLong => {
                        server.lose();
                        &[]
                    }
                    Collected::Whole(head, rest) => {
                        if !self.on_response(Head::new(&head), out) {
                            self.server.lose();
                        }
                        rest
                    }
                }
            }
            Stage::Body(body) => {
                let (content, rest) = body.take(data);
                let is_done = body.is_done();
                if let Some(exchange) = self.pending.front_mut() {
                    exchange.on_response_body(content);
                }
                if is_done {
                    self.end_response(out);
                }
                rest
            }
        }
    }

    /// What has no status line answers a request without a version: all that comes is content.
    fn on_simple_response<'d>(&mut self, data: &'d [u8], out: &mut Findings) -> &'d [u8] {
        match self.pending.front_mut() {
            Some(exchange) if exchange.is_simple() => {
                exchange.answer_simply();
                self.server.enter(Body::UntilEnd);
                self.on_response_bytes(data, out)
            }
            _ => {
                self.server.lose();
                &[]
            }
        }
    }

    /// Takes the head of a response; returns whether it is one.
    fn on_response(&mut self, head: Head<'_>, out: &mut Findings) -> bool {
        let Some(line) = head.response() else { return false };
        if self.pending.front().is_some_and(Exchange::is_answered) {
            // The end of the last response is missing.
            self.end_response(out);
        }
        if self.pending.is_empty() {
            self.depth = self.depth.saturating_add(1);
            self.pending.push_back(Exchange::unasked(self.depth));
        }
        let Some(exchange) = self.pending.front_mut() else { return false };
        let (body, challenge) = exchange.answer(line, head);
        if line.status == 101 {
            self.is_over = true;
            self.end_response(out);
            return true;
        }
        if (100..200).contains(&line.status) {
            return true;
        }
        let is_refused = matches!(line.status, 401 | 407);
        // Who names himself is believed where he gets something; an error may come before anybody
        // looks at the password, and a nonce that is too old is no wrong password.
        let named = match line.status {
            401 | 407 if exchange.is_stale() => None,
            401 | 407 => Some(false),
            200..=399 => Some(true),
            _ => None,
        };
        let credentials = exchange.take_credentials();
        let tunnel = exchange.tunnel_port().filter(|_| (200..300).contains(&line.status));
        if exchange.waits_for_leave() && line.status >= 300 {
            // It asked first and was told no: the body does not come.
            self.client.enter(Body::Done);
        }
        match credentials {
            Some(Credentials::Named(method, user)) => {
                out.say(login(method, user, named));
            }
            Some(Credentials::Token(_)) => {
                if let Some(login) = self.login.take_if(|login| login.is_decisive()) {
                    login.conclude(Some(!is_refused), out);
                }
            }
            None => {}
        }
        if let Some(Credentials::Token(token)) = challenge
            && let Some(login) = &mut self.login
        {
            login.on_token(&token);
        }
        match tunnel {
            Some(_) if self.is_innermost => self.is_over = true,
            Some(port) => {
                let mut tunnel = Unwrapped::new(port);
                if let Some(talk) = &self.talk {
                    tunnel.on_start(talk);
                }
                self.tunnel = Some(Box::new(tunnel));
            }
            None => {}
        }
        if body.is_done() || tunnel.is_some() {
            self.end_response(out);
        } else {
            self.server.enter(body);
        }
        self.limit(out);
        true
    }

    /// The response, and with it the exchange, is complete, or cannot be followed any further.
    fn end_response(&mut self, out: &mut Findings) {
        self.server.enter(Body::Done);
        if let Some(exchange) = self.pending.pop_front() {
            self.held = self.held.saturating_sub(exchange.bytes());
            exchange.finish(out);
        }
    }
}

fn begins_like_response(data: &[u8]) -> bool {
    let length = data.len().min(5);
    data.get(..length) == b"HTTP/".get(..length)
}

/// Whether a request begins here, of which nothing before is known.
fn begins_like_request(data: &[u8]) -> bool {
    let line = super::bytes::first_line(data);
    line.rsplit(|&b| b == b' ').next().is_some_and(|word| word.starts_with(b"HTTP/1."))
        && line.first().is_some_and(u8::is_ascii_uppercase)
}

impl Dissector for Http {
    fn on_start(&mut self, talk: &Conversation) {
        self.talk = Some(*talk);
    }

    fn on_data(&mut self, at: Timestamp, sender: Role, data: &[u8], out: &mut Findings) {
        let direction = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        if matches!(direction.stage, Stage::Lost) {
            let is_found = match sender {
                Role::Client => begins_like_request(data),
                Role::Server => data.starts_with(b"HTTP/1."),
            };
            if is_found {
                direction.stage = Stage::Head;
            }
        }
        let mut rest = data;
        while !rest.is_empty() && !self.is_over {
            if let Some(tunnel) = &mut self.tunnel {
                tunnel.on_data(at, sender, rest, out);
                return;
            }
            rest = match sender {
                Role::Client => self.on_request_bytes(rest, out),
                Role::Server => self.on_response_bytes(rest, out),
            };
        }
    }

    fn on_gap(&mut self, sender: Role, bytes: u64) {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.on_gap(sender, bytes);
        }
        let depth = match sender {
            Role::Client => self.client.depth,
            Role::Server => self.pending.front().map_or(0, Exchange::depth),
        };
        let direction = match sender {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        let followed = match &mut direction.stage {
            Stage::Body(body) => body.skip(bytes).is_some(),
            Stage::Head | Stage::Lost => false,
        };
        let exchange = self.pending.iter_mut().find(|exchange| exchange.depth() == depth);
        if followed {
            if let Some(exchange) = exchange {
                exchange.on_gap(sender, bytes);
            }
        } else {
            direction.lose();
        }
    }

    fn on_end(&mut self, at: Timestamp, out: &mut Findings) {
        while let Some(exchange) = self.pending.pop_front() {
            exchange.finish(out);
        }
        if let Some(login) = self.login.take()
            && !login.is_empty()
        {
            login.conclude(None, out);
        }
        if let Some(tunnel) = &mut self.tunnel {
            tunnel.on_end(at, out);
        }
    }

    fn wants(&self, sender: Role) -> bool {
        match &self.tunnel {
            Some(tunnel) => tunnel.wants(sender),
            None => !self.is_over,
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.client.head.heap_bytes()
            + self.server.head.heap_bytes()
            + self.pending.capacity() * size_of::<Exchange>()
            + self.held
            + self.login.as_ref().map_or(0, |it| size_of::<gss::Exchange>() + it.heap_bytes())
            + self.tunnel.as_ref().map_or(0, |tunnel| tunnel.bytes())
    }
}

#[cfg(test)]
mod tests;
