//! An exchange with a language model: a question of kilobytes, an answer that drips.

use std::time::Duration;

use super::super::conversation::Side;
use super::super::rng::Rng;
use super::body::{Body, Framing};
use super::speech::{AT_ONCE, sealed, stamp, text, tls};
use super::tcp::Call;
use super::worm_file::Api;

/// What is asked of whom.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The server's name or address.
    pub host: &'a str,
    /// How it is asked.
    pub api: Api,
    /// Whether that is encrypted.
    pub tls: bool,
    /// The model's name.
    pub model: &'a str,
    /// Bytes of the prompt.
    pub prompt: usize,
    /// Tokens of the answer.
    pub tokens: u32,
    /// From one token to the next, on average.
    pub cadence: Duration,
}

/// Asks, and lets the answer come token by token. Returns how long the answer takes.
pub fn ask(call: &mut Call, question: &Question<'_>, rng: &mut Rng) -> Duration {
    // A prompt is read at about a thousand tokens a second before the first word is said.
    let read = Duration::from_micros(question.prompt as u64 * 250) + Duration::from_millis(120);
    let mut took = read;
    if question.tls {
        tls(call, question.host, 2_500);
        sealed(call, Side::Client, AT_ONCE, question.prompt + 400);
    } else {
        let (head, length) = request(question);
        let body = Body::framed(Framing::Plain, head, length, stamp(call));
        call.say(Side::Client, AT_ONCE, body);
        // The prompt is text inside JSON, which has to end.
        text(call, Side::Client, AT_ONCE, "\"}]}");
        text(call, Side::Server, read, response(question.api));
    }
    for token in 0..question.tokens {
        let after = if token == 0 && question.tls { read } else { rng.around(question.cadence) };
        took += after;
        if question.tls {
            sealed(call, Side::Server, after, 190 + rng.below(12) as usize);
        } else {
            text(call, Side::Server, after, &piece(question, token));
        }
    }
    if !question.tls {
        text(call, Side::Server, AT_ONCE, last(question.api));
    }
    took
}

fn request(question: &Question<'_>) -> (Vec<u8>, usize) {
    let Question { host, api, model, prompt, .. } = question;
    let path = match api {
        Api::Ollama => "/api/chat",
        Api::Openai => "/v1/chat/completions",
    };
    let opening = format!(
        "{{\"model\":\"{model}\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\""
    );
    let length = opening.len() + prompt + "\"}]}".len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: synth\r\nAccept: */*\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{opening}"
    );
    let whole = head.len() + prompt;
    (head.into_bytes(), whole)
}

const fn response(api: Api) -> &'static str {
    match api {
        Api::Ollama => {
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        }
        Api::Openai => {
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        }
    }
}

fn piece(question: &Question<'_>, token: u32) -> String {
    let model = question.model;
    let piece = match question.api {
        Api::Ollama => format!(
            "{{\"model\":\"{model}\",\"message\":{{\"role\":\"assistant\",\"content\":\" word{}\"}},\"done\":false}}\n",
            token % 10
        ),
        Api::Openai => format!(
            "data: {{\"object\":\"chat.completion.chunk\",\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{}\"}}}}]}}\n\n",
            token % 10
        ),
    };
    format!("{:x}\r\n{piece}\r\n", piece.len())
}

const fn last(api: Api) -> &'static str {
    match api {
        Api::Ollama => "0\r\n\r\n",
        Api::Openai => "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
    }
}
