//! One GET request to a daemon nearby. HTTP/1.0 (RFC 1945), because then the answer ends where the
//! connection does and nothing needs to be told about chunks.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long to wait for a connection, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not a URL that this client understands.
    #[error("not a URL like http://127.0.0.1:9477")]
    Url,
    /// Nobody is reached, or the connection breaks.
    #[error("no answer")]
    Io(#[from] io::Error),
    /// It is no HTTP.
    #[error("the answer is not HTTP")]
    Malformed,
    /// The server refuses.
    #[error("the answer has status {0}")]
    Status(u16),
}

/// Fetches `path` from the server at `base`.
pub(super) fn get(base: &str, path: &str) -> Result<String, HttpError> {
    let authority = base.strip_prefix("http://").ok_or(HttpError::Url)?.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '@', '\r', '\n', ' ']) {
        return Err(HttpError::Url);
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = if has_port { authority.to_owned() } else { format!("{authority}:80") };
    let mut stream = connect(&target)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {authority}\r\nAccept: application/json\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).map_err(|_| HttpError::Malformed)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(HttpError::Malformed)?;
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status: u16 = status.and_then(|s| s.parse().ok()).ok_or(HttpError::Malformed)?;
    if status != 200 {
        return Err(HttpError::Status(status));
    }
    Ok(body.to_owned())
}

fn connect(target: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in target.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Serves one answer on a loopback port and gives back its URL and, later, the request.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, server)
    }

    #[test]
    fn fetches_a_body() {
        let (url, server) = serve("HTTP/1.0 200 OK\r\ncontent-type: x\r\n\r\n{\"a\":1}");

        assert_eq!(get(&url, "/api/x").unwrap(), "{\"a\":1}");
        assert!(server.join().unwrap().starts_with("GET /api/x HTTP/1.0\r\n"));
    }

    #[test]
    fn tells_refusal_from_nonsense() {
        let (url, _server) = serve("HTTP/1.1 404 Not Found\r\n\r\n");
        assert!(matches!(get(&url, "/"), Err(HttpError::Status(404))));

        let (url, _server) = serve("SSH-2.0-x\r\n\r\n");
        assert!(matches!(get(&url, "/"), Err(HttpError::Malformed)));
    }

    #[test]
    fn understands_only_plain_urls() {
        for url in ["https://127.0.0.1", "127.0.0.1:9477", "http://", "http://a/b", "http://a\r\nb"]
        {
            assert!(matches!(get(url, "/"), Err(HttpError::Url)), "{url}");
        }
    }
}
