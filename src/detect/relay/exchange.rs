//! What a question to a language model looks like over HTTP: who is asked for which path.

use crate::event::Http;

/// Whole paths, for they say little behind another one.
const PATHS: [&str; 9] = [
    // Ollama, docs/api.md: "Generate a completion", "Generate a chat completion".
    "/api/generate",
    "/api/chat",
    // llama.cpp, tools/server/README.md.
    "/completion",
    "/completions",
    // Text Generation Inference, its OpenAPI description; vLLM's plain server has the first one, too
    // (vllm/entrypoints/api_server.py).
    "/generate",
    "/generate_stream",
    // LM Studio's own REST API, versions 1 and 0.
    "/api/v1/chat",
    "/api/v0/chat/completions",
    "/api/v0/completions",
];

/// Ends of paths, whatever a gateway puts before them: OpenAI's API reference, which vLLM, llama.cpp,
/// Text Generation Inference, Ollama and LM Studio follow (`/v1/embeddings` makes no text and is none);
/// Anthropic's, which LM Studio follows as well; Ollama's behind a user interface.
const ENDS: [&str; 6] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/ollama/api/generate",
    "/ollama/api/chat",
];

/// What an answer is by its first bytes: an object (lines of them, too), `data:` of an event stream, or
/// either compressed.
const ANSWERS: [&str; 3] = ["text/json", "text/plain", "application/x-gzip"];

/// Whether this is a question that was answered.
pub(super) fn is_answered_question(http: &Http) -> bool {
    let is_answer = |kind: &&str| ANSWERS.contains(kind);
    http.method.as_deref() == Some("POST")
        && http.status_code.is_some_and(|status| (200..300).contains(&status))
        && http.response_body_len > 0
        && http.resp_mime_types.iter().all(is_answer)
        && http.uri.as_deref().is_some_and(is_path)
}

/// Whether a model is asked there.
fn is_path(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    // A proxy is asked for the whole address (RFC 9112, section 3.2.2).
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => path,
    };
    let path = path.trim_end_matches('/');
    PATHS.contains(&path) || ENDS.iter().any(|end| path.ends_with(end)) || is_of_triton(path)
}

/// `/v2/models/MODEL[/versions/VERSION]/generate[_stream]`: Triton's generate extension.
fn is_of_triton(path: &str) -> bool {
    path.strip_prefix("/v2/models/").is_some_and(|rest| {
        matches!(rest.rsplit_once('/'), Some((_, "generate" | "generate_stream")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(method: &str, uri: &str, status: u16, kind: &'static str) -> Http {
        Http {
            method: Some(method.to_owned()),
            uri: Some(uri.to_owned()),
            status_code: Some(status),
            response_body_len: 900,
            resp_mime_types: vec![kind],
            ..Http::default()
        }
    }

    #[test]
    fn knows_what_servers_of_models_are_asked_for() {
        for path in [
            "/v1/chat/completions",
            "/v1/responses?stream=true",
            "/openai/v1/completions/",
            "http://10.0.0.5:8000/v1/chat/completions",
            "/api/generate",
            "/api/chat",
            "/completion",
            "/generate_stream",
            "/v2/models/llama/generate",
            "/v2/models/llama/versions/1/generate_stream",
            "/api/v0/chat/completions",
        ] {
            assert!(is_answered_question(&http("POST", path, 200, "text/json")), "{path}");
        }
    }

    #[test]
    fn leaves_other_paths_alone() {
        for path in [
            "/v1/embeddings",
            "/v1/models",
            "/api/tags",
            "/api/chats",
            "/shop/generate",
            "/v2/models/llama/infer",
            "/generate/report",
            "/",
            "",
        ] {
            assert!(!is_answered_question(&http("POST", path, 200, "text/json")), "{path}");
        }
    }

    #[test]
    fn wants_a_question_and_an_answer_in_text() {
        let path = "/v1/chat/completions";

        assert!(is_answered_question(&http("POST", path, 200, "text/plain")));
        assert!(!is_answered_question(&http("GET", path, 200, "text/json")));
        assert!(!is_answered_question(&http("POST", path, 404, "text/json")));
        assert!(!is_answered_question(&http("POST", path, 200, "text/html")));
        let silent = Http { response_body_len: 0, ..http("POST", path, 200, "text/json") };
        assert!(!is_answered_question(&silent));
    }
}
