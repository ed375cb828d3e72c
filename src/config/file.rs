//! The commented file that is installed, and that `config show` prints.

/// Every setting with its default and a sentence on what it does.
pub const EXAMPLE: &str = include_str!("../../systemd/wormwatch.toml");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    #[test]
    fn the_commented_file_says_what_the_defaults_are() {
        let config = Config::parse(EXAMPLE, Path::new("wormwatch.toml")).unwrap();

        assert_eq!(config, Config::default());
    }

    /// Every key that the defaults hold stands in the file, so that no setting is a secret.
    #[test]
    fn the_commented_file_names_every_setting() {
        fn keys(prefix: &str, table: &toml::Table, into: &mut Vec<String>) {
            for (key, value) in table {
                match value {
                    toml::Value::Table(table) => keys(&format!("{prefix}{key}."), table, into),
                    _ => into.push(format!("{prefix}{key}")),
                }
            }
        }
        let (mut written, mut known) = (Vec::new(), Vec::new());
        keys("", &EXAMPLE.parse().unwrap(), &mut written);

        keys("", &Config::default().to_toml().parse().unwrap(), &mut known);

        assert_eq!(written, known);
    }

    #[test]
    fn the_configuration_in_effect_reads_back() {
        let mut config = Config::default();
        config.sensor.name = "core switch \"A\"".to_owned();
        config.allow.push(
            toml::from_str("source = \"10.0.0.5\"\nreason = \"x\"\nexpires = 2027-06-30").unwrap(),
        );

        let read = Config::parse(&config.to_toml(), Path::new("x")).unwrap();

        assert_eq!(read, config);
    }

    #[test]
    fn the_commented_allow_entry_is_valid_once_uncommented() {
        let start = EXAMPLE.find("# [[allow]]").unwrap();
        let uncommented: String = EXAMPLE[start..]
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n")
            .collect();

        let config = Config::parse(&uncommented, Path::new("x")).unwrap();

        assert_eq!(config.allow.len(), 1);
    }
}
