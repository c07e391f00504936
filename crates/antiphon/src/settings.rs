//! Settings: a TOML file, the environment over it, flags over both.
//!
//! Every setting has a default that is safe on a machine that is reachable from outside: nothing
//! listens beyond loopback until somebody says so.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// How an environment variable for a setting begins: `ANTIPHON_SIP__LISTEN`.
const ENV_PREFIX: &str = "ANTIPHON_";

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) data: Data,
    pub(crate) http: Http,
    pub(crate) sip: Sip,
    pub(crate) media: Media,
}

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Data {
    /// The data folder.
    pub(crate) dir: PathBuf,
    /// The house key; beside the data folder's content unless told.
    pub(crate) key_file: Option<PathBuf>,
}

/// The web interface and the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// Plain HTTP. Beyond loopback only with `behind_proxy`.
    pub(crate) listen: SocketAddr,
    /// Networks of a proxy that ends TLS and sets `X-Forwarded-*`, as `10.0.0.0/8`.
    pub(crate) behind_proxy: Vec<String>,
    /// The same with TLS, for browsers elsewhere.
    pub(crate) https: Option<SocketAddr>,
    /// The certificate and its chain, PEM. Without it the house makes one that browsers warn about.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key: Option<PathBuf>,
}

/// Telephones and trunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sip {
    /// UDP and TCP address.
    pub(crate) listen: SocketAddr,
    /// The address for connections over TLS, with the certificate of the web interface.
    pub(crate) tls: Option<SocketAddr>,
    /// What peers are told, when they reach us under another address.
    pub(crate) advertise: Option<SocketAddr>,
    /// Networks that may call in, as `127.0.0.0/8`; everybody else is refused.
    pub(crate) trusted: Vec<String>,
}

/// Voice packets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    /// Address of the RTP sockets.
    pub(crate) listen: IpAddr,
    /// What SIP peers are told.
    pub(crate) advertise: Option<IpAddr>,
    /// First and last RTP port; both 0 for any free ones.
    pub(crate) rtp_ports: [u16; 2],
    /// UDP address of all browser legs; [`BROWSER_LISTEN`] or a free port beside it unless told.
    pub(crate) browser_listen: Option<SocketAddr>,
    /// What browsers are told.
    pub(crate) browser_advertise: Option<IpAddr>,
    /// Media threads; 0 or 1. Media runs on one thread and refuses more.
    pub(crate) threads: usize,
    /// Ask the system for real-time scheduling of the media threads.
    pub(crate) realtime: bool,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where browser legs are when nobody says.
pub(crate) const BROWSER_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 7_800);

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("data"), key_file: None }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(LOOPBACK, 8_080),
            behind_proxy: Vec::new(),
            https: None,
            certificate: None,
            key: None,
        }
    }
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(LOOPBACK, 5_060),
            tls: None,
            advertise: None,
            trusted: vec!["127.0.0.0/8".to_owned(), "::1/128".to_owned()],
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: LOOPBACK,
            advertise: None,
            rtp_ports: [20_000, 29_999],
            browser_listen: None,
            browser_advertise: None,
            threads: 0,
            realtime: true,
        }
    }
}

impl Settings {
    /// Reads the file, if there is one, and lays the environment over it.
    ///
    /// # Errors
    /// With the file, the line and the setting that is wrong.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let mut table = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {}", path.display()))?;
                // Read it as settings first: that error names the line.
                toml::from_str::<Self>(&text).with_context(|| path.display().to_string())?;
                text.parse::<toml::Table>().with_context(|| path.display().to_string())?
            }
            None => toml::Table::new(),
        };
        let mut from_environment = BTreeMap::new();
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix(ENV_PREFIX)
                && let Some((section, key)) = key.split_once("__")
            {
                let place = (section.to_lowercase(), key.to_lowercase());
                from_environment.insert(place, (name, value));
            }
        }
        for ((section, key), (name, value)) in from_environment {
            overlay(&mut table, &section, &key, &value)
                .with_context(|| format!("the environment variable {name}"))?;
        }
        let settings: Self = table.try_into()?;
        settings.check()?;
        Ok(settings)
    }

    /// What single fields cannot know.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if !self.http.listen.ip().is_loopback() && self.http.behind_proxy.is_empty() {
            bail!(
                "http.listen {} is reachable from outside without TLS, and browsers give no \
                 microphone to such a page; listen on 127.0.0.1 and use --https ADDR, or name \
                 your TLS proxy in http.behind_proxy",
                self.http.listen
            );
        }
        let [first, last] = self.media.rtp_ports;
        if last < first || (first == 0) != (last == 0) {
            bail!("media.rtp_ports must be [first, last] with first <= last, or [0, 0]");
        }
        if self.sip.trusted.iter().any(|network| is_everywhere(network)) {
            bail!("sip.trusted must not contain the whole internet (/0): name your trunks");
        }
        if self.http.behind_proxy.iter().any(|network| is_everywhere(network)) {
            bail!("http.behind_proxy must not contain the whole internet (/0): name your proxy");
        }
        Ok(())
    }

    /// Where the house key is.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.data.key_file.clone().unwrap_or_else(|| self.data.dir.join("house.key"))
    }
}

/// Whether a network is everybody, however it is spelt.
fn is_everywhere(network: &str) -> bool {
    network.rsplit_once('/').is_some_and(|(_, bits)| bits.parse() == Ok(0_u8))
}

/// Puts one environment value into the table, with the type that the setting has.
fn overlay(table: &mut toml::Table, section: &str, key: &str, value: &str) -> anyhow::Result<()> {
    let known = toml::Table::try_from(Settings::default())?;
    let Some(settings) = known.get(section).and_then(toml::Value::as_table) else {
        bail!("there is no section `{section}`; known: {}", names(&known));
    };
    let parsed = match settings.get(key) {
        Some(toml::Value::Boolean(_)) => toml::Value::Boolean(value.parse()?),
        Some(toml::Value::Integer(_)) => toml::Value::Integer(value.parse()?),
        Some(toml::Value::Array(items)) => {
            let number = items.first().is_some_and(toml::Value::is_integer);
            let item = |text: &str| -> anyhow::Result<toml::Value> {
                let text = text.trim();
                Ok(if number { toml::Value::Integer(text.parse()?) } else { text.into() })
            };
            toml::Value::Array(value.split(',').map(item).collect::<Result<_, _>>()?)
        }
        // Options that are off by default are missing from the table of defaults.
        Some(_) => value.into(),
        None if OPTIONAL.contains(&(section, key)) => value.into(),
        None => bail!("there is no setting `{section}.{key}`; known: {}", names(settings)),
    };
    let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
    let section = section.as_table_mut().context("must be a section")?;
    section.insert(key.to_owned(), parsed);
    Ok(())
}

const OPTIONAL: [(&str, &str); 9] = [
    ("data", "key_file"),
    ("http", "https"),
    ("http", "certificate"),
    ("http", "key"),
    ("sip", "tls"),
    ("sip", "advertise"),
    ("media", "advertise"),
    ("media", "browser_listen"),
    ("media", "browser_advertise"),
];

fn names(table: &toml::Table) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), text)?;
        let owned = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::load(Some(file.path()), owned)
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let text = "[sip]\nlisten = \"127.0.0.1:5070\"\n";
        let environment = [
            ("ANTIPHON_SIP__LISTEN", "127.0.0.1:0"),
            ("ANTIPHON_MEDIA__RTP_PORTS", "30000, 30100"),
            ("ANTIPHON_MEDIA__REALTIME", "false"),
            ("ANTIPHON_DATA__KEY_FILE", "/etc/house.key"),
        ];
        let settings = load(text, &environment).expect("valid");
        assert_eq!(settings.sip.listen.port(), 0);
        assert_eq!(settings.media.rtp_ports, [30_000, 30_100]);
        assert!(!settings.media.realtime);
        assert_eq!(settings.key_file(), Path::new("/etc/house.key"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, environment, says) in [
            ("[sip]\nlissen = \"x\"\n", &[][..], "lissen"),
            ("[sip]\nlisten = 5\n", &[][..], "line 2"),
            ("[http]\nlisten = \"0.0.0.0:80\"\n", &[][..], "behind_proxy"),
            ("[media]\nrtp_ports = [9, 3]\n", &[][..], "first <= last"),
            ("[sip]\ntrusted = [\"0.0.0.0/0\"]\n", &[][..], "whole internet"),
            ("[sip]\ntrusted = [\"::/00\"]\n", &[][..], "whole internet"),
            ("[http]\nbehind_proxy = [\"0.0.0.0/0\"]\n", &[][..], "name your proxy"),
            ("", &[("ANTIPHON_SIP__LISSEN", "x")][..], "sip.lissen"),
            ("", &[("ANTIPHON_MEDIA__THREADS", "many")][..], "ANTIPHON_MEDIA__THREADS"),
        ] {
            let error = format!("{:#}", load(text, environment).expect_err(text));
            assert!(error.contains(says), "{error} should say {says}");
        }
    }
}
