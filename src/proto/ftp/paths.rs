//! Where in the server's tree a client is.

/// Longer paths are not followed.
const MAX_PATH: usize = 1024;

/// The working directory, which is `.` until it is known.
#[derive(Debug)]
pub(super) struct Directory(String);

impl Default for Directory {
    fn default() -> Self {
        Self(".".to_owned())
    }
}

impl Directory {
    /// Changes to `path`.
    pub(super) fn enter(&mut self, path: &str) {
        self.0 = self.join(path);
    }

    /// `path` as seen from the root, if that is known.
    pub(super) fn join(&self, path: &str) -> String {
        let is_absolute = path.starts_with('/') || (!is_rooted(path) && self.0.starts_with('/'));
        let mut parts: Vec<&str> = Vec::new();
        let base = if is_rooted(path) { "" } else { &self.0 };
        for part in base.split('/').chain(path.split('/')) {
            match part {
                "" => {}
                // Only at the front of a path whose root is not known does it say something.
                "." if !parts.is_empty() || is_absolute || is_rooted(path) => {}
                ".." if parts.last().is_some_and(|last| *last != ".." && *last != ".") => {
                    parts.pop();
                }
                ".." if is_absolute => {}
                part => parts.push(part),
            }
        }
        let joined = parts.join("/");
        let mut joined = if is_absolute { format!("/{joined}") } else { joined };
        joined.truncate(joined.floor_char_boundary(MAX_PATH));
        joined
    }

    pub(super) const fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }
}

/// Whether a path needs no directory: from the root, or from a drive.
fn is_rooted(path: &str) -> bool {
    path.starts_with('/') || path.as_bytes().get(1) == Some(&b':')
}

/// The path between quotation marks in the answer to PWD.
pub(super) fn quoted(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once('"')?;
    rest.split_once('"').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_paths_as_zeek_does() {
        let mut directory = Directory::default();
        assert_eq!(directory.join("robots.txt"), "./robots.txt");

        directory.enter("/pub");
        directory.enter("a/./b");
        assert_eq!(directory.join("x"), "/pub/a/b/x");
        directory.enter("..");
        assert_eq!(directory.join("../x"), "/pub/x");
        directory.enter("../../../..");
        assert_eq!(directory.join("x"), "/x");
        assert_eq!(directory.join("C:/x"), "C:/x");
        assert_eq!(quoted("\"/home\" is current"), Some("/home"));
    }

    #[test]
    fn paths_stay_short() {
        let mut directory = Directory::default();
        directory.enter("/");

        for _ in 0..100 {
            directory.enter(&"\u{fc}".repeat(100));
        }

        assert!(directory.heap_bytes() <= 2 * MAX_PATH);
    }
}
