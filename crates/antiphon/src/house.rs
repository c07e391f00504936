//! Wiring: opens the record, starts the planes, the hub and the web server, and stops them again.

mod doors;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hub::{Hub, Ports};
use media::MediaHandle;
use model::time::Timestamp;
use sip::{SipConfig, SipHandle, SipTls};
use store::{HouseKey, SetupToken, Store};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing_subscriber::EnvFilter;

use crate::company;
use crate::control::Control;
use crate::floor_thread::FloorThread;
use crate::ports::{Files, Running};
use crate::settings::{BROWSER_LISTEN, Settings};
use crate::tls::Tls;
use crate::{BUILD, tell};

use doors::Doors;

/// Events of the media plane that may wait for the hub.
const MEDIA_EVENTS_WAITING: usize = 65_536;

/// When each step of a stop is given up, counted from its begin.
const WEB_ENDS: Duration = Duration::from_secs(5);
const MEDIA_ENDS: Duration = Duration::from_secs(8);
const HUB_ENDS: Duration = Duration::from_secs(13);
const STORE_ENDS: Duration = Duration::from_secs(15);

/// What happens when there is no tenant yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstStart {
    /// A token is told on the console, and the page asks for it.
    Token,
    /// Whoever starts the house makes the tenant.
    Furnished,
}

/// A running house.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) hub: Hub,
    pub(crate) http: SocketAddr,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) sip_address: SocketAddr,
    pub(crate) sips_address: Option<SocketAddr>,
    sip: Arc<SipHandle>,
    media: Arc<MediaHandle>,
    /// The web server at each of its addresses.
    servers: Vec<JoinHandle<std::io::Result<()>>>,
    stop_server: tokio::sync::watch::Sender<bool>,
    control: Option<Control>,
    floor: FloorThread,
}

/// Opens the record with the house key, which is made with the house.
async fn open_record(settings: &Settings) -> anyhow::Result<(Store, HouseKey)> {
    let key = HouseKey::load_or_create(&settings.key_file())?;
    let store = Store::open(&settings.data.dir, &key).await?;
    store.seal_phones().await?;
    Ok((store, key))
}

/// Logs to the error stream; libraries that speak of every packet or statement only from warnings
/// up.
pub(crate) fn log_to_stderr() {
    let wanted = std::env::var("ANTIPHON_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::new(format!("{wanted},str0m=warn,sqlx=warn"));
    let format = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (tests) leaves the first in force.
    let _ = format.try_init();
}

impl House {
    /// Starts everything. Nothing is left running when it fails.
    pub(crate) async fn start(settings: &Settings, first: FirstStart) -> anyhow::Result<Self> {
        let dir = &settings.data.dir;
        store::make_private_folder(dir)
            .with_context(|| format!("the data folder {} cannot be made", dir.display()))?;
        let (store, key) = open_record(settings).await?;
        // Whatever may be wrong with the settings shows before anybody can call.
        let proxies = proxies(settings)?;
        let sip_config = SipConfig { tls: sip_tls(settings)?, ..sip_config(settings)? };
        let starter = tokio::task::spawn_blocking(company::starter).await??;
        let Doors { entries, http, https } = doors::open(settings).await?;
        let (media_events, from_media) = mpsc::channel(MEDIA_EVENTS_WAITING);
        let media = Arc::new(doors::start_media(&settings.media, media_events)?);
        let floor = FloorThread::start()?;
        let (sip, from_sip) = floor.run(async { sip::start(sip_config) }).await?;
        let sip = Arc::new(sip);
        let (to_sip, to_media) = (sip.clone(), media.clone());
        let ports = Ports {
            sip: Arc::new(move |command| to_sip.send(command).is_ok()),
            media: Arc::new(move |command| to_media.send(command).is_ok()),
        };
        let parts = hub::Parts {
            store: store.clone(),
            data_dir: dir.clone(),
            key,
            build: BUILD.to_owned(),
            ports,
            sip_events: from_sip,
            media_events: from_media,
        };
        let hub = floor.run(Hub::start(parts)).await?;
        let control = Control::open(dir, store.clone(), hub.clone())
            .inspect_err(|error| tracing::warn!("commands beside the house fail: {error:#}"))
            .ok();
        let (stop_server, stopped) = tokio::sync::watch::channel(false);
        let running = Running { hub: hub.clone(), sip: sip.clone(), media: media.clone() };
        let setup = match first {
            FirstStart::Token => first_start(&store, hub.now()).await?,
            FirstStart::Furnished => None,
        };
        let app = api::app(api::Parts {
            store: store.clone(),
            floor: Arc::new(running),
            sound: Arc::new(Files),
            setup,
            starter,
            proxies: proxies.clone(),
        });
        let serve = |entry| {
            let mut stopped = stopped.clone();
            tokio::spawn(api::serve(entry, app.clone(), proxies.clone(), async move {
                // A dropped sender is a stop as well.
                let _ = stopped.wait_for(|stop| *stop).await;
            }))
        };
        let servers = entries.into_iter().map(serve).collect();
        let (sip_address, sips_address) = (sip.local_addr(), sip.tls_addr());
        Ok(Self {
            store,
            hub,
            http,
            https,
            sip_address,
            sips_address,
            sip,
            media,
            servers,
            stop_server,
            control,
            floor,
        })
    }

    /// Runs until an interrupt, a request to terminate, a failed disk or a fault that leaves the
    /// house deaf, then stops everything.
    ///
    /// # Errors
    /// When the disk or the house failed, or a part did not stop in time.
    pub(crate) async fn until_told(self) -> anyhow::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
            part = self.deaf() => {
                if let Err(error) = self.stop().await {
                    tracing::error!("{error:#}");
                }
                bail!(
                    "a fault of the program ended its {part}, so calls could not be heard any more \
                     and the house was stopped: start it again, and report the lines of the log \
                     before this one"
                );
            }
            () = self.store.stopped() => {
                if let Err(error) = self.stop().await {
                    tracing::error!("{error:#}");
                }
                bail!(
                    "the disk failed while saving, so nothing more could be promised and the house \
                     was stopped: look after the disk, then start it again"
                );
            }
        }
        tell("stopping: no new calls, saving what is open");
        self.stop().await
    }

    /// Waits until a part has failed without which no call is heard, and names it.
    async fn deaf(&self) -> &'static str {
        tokio::select! {
            part = self.hub.failed() => part,
            part = self.sip.failed() => part,
            part = self.media.failed() => part,
        }
    }

    /// Stops everything in the order that loses nothing: no new requests and calls, then the
    /// recordings, whose ends the hub still hears, then the cells, then the record.
    ///
    /// # Errors
    /// When a part did not stop in its time. What it held open is closed by the next start.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut late = Vec::new();
        drop(self.control);
        self.stop_server.send_replace(true);
        let doors = began + WEB_ENDS;
        let pages = async {
            for mut server in self.servers {
                match timeout_at(doors, &mut server).await {
                    Ok(Ok(Ok(()))) => {}
                    Ok(ended) => tracing::warn!(?ended, "the web server failed"),
                    // A page that holds its connection: it finds nobody there any more.
                    Err(_) => server.abort(),
                }
            }
        };
        let ((), calls) = tokio::join!(pages, timeout_at(doors, self.sip.shutdown()));
        if calls.is_err() {
            late.push("the SIP plane");
        }
        let media = self.media;
        let recordings = tokio::task::spawn_blocking(move || media.stop());
        if timeout_at(began + MEDIA_ENDS, recordings).await.is_err() {
            late.push("the media plane");
        }
        if timeout_at(began + HUB_ENDS, self.hub.stop()).await.is_err() {
            late.push("the cells");
        }
        if timeout_at(began + STORE_ENDS, self.store.close()).await.is_err() {
            late.push("the record");
        }
        drop(self.floor);
        if late.is_empty() {
            return Ok(());
        }
        bail!("did not stop in time: {}; the next start closes what is open", late.join(", "))
    }
}

/// The secret of the first start, told on the console, while there is no tenant.
async fn first_start(store: &Store, now: Timestamp) -> anyhow::Result<Option<SetupToken>> {
    if !store.tenants().await?.is_empty() {
        return Ok(None);
    }
    let (kept, token) = SetupToken::make(now);
    tell(&format!("first start: open the page and enter this token: {}", token.reveal()));
    tell("it is good for 15 minutes");
    Ok(Some(kept))
}

fn proxies(settings: &Settings) -> anyhow::Result<Vec<api::Network>> {
    let network = |text: &String| {
        text.parse().map_err(|error| anyhow!("http.behind_proxy: `{text}`: {error}"))
    };
    settings.http.behind_proxy.iter().map(network).collect()
}

fn sip_config(settings: &Settings) -> anyhow::Result<SipConfig> {
    let network = |text: &String| {
        text.parse().map_err(|_| anyhow!("sip.trusted: `{text}` is no network like 10.0.0.0/8"))
    };
    let trusted = settings.sip.trusted.iter().map(network).collect::<Result<Vec<_>, _>>()?;
    Ok(SipConfig {
        bind: settings.sip.listen,
        advertise: settings.sip.advertise,
        trusted,
        ..SipConfig::default()
    })
}

fn sip_tls(settings: &Settings) -> anyhow::Result<Option<SipTls>> {
    let Some(bind) = settings.sip.tls else { return Ok(None) };
    Ok(Some(SipTls { bind, config: Tls::of_sip(settings, bind)?.config }))
}

/// Fails where `serve` would refuse the settings, as far as that shows without opening anything;
/// what it takes and may not be meant comes back in words.
pub(crate) fn check(settings: &Settings) -> anyhow::Result<Vec<String>> {
    proxies(settings)?;
    sip_config(settings)?;
    let Settings { sip, media, http, .. } = settings;
    if sip.listen.ip().is_unspecified() && sip.advertise.is_none() {
        bail!(
            "sip.listen {} is all addresses: say in sip.advertise which one peers use",
            sip.listen
        );
    }
    media::check(&doors::media_config(media))?;
    Tls::check(settings)?;
    let told = media.advertise.unwrap_or(media.listen);
    let voice = media.browser_listen.unwrap_or(BROWSER_LISTEN).ip();
    let outside = http.https.is_some_and(|address| !address.ip().is_loopback());
    let doubts = [
        (
            !sip.listen.ip().is_loopback() && told.is_loopback(),
            format!(
                "telephones elsewhere hear nothing: they are told to send sound to {told} (media.listen)"
            ),
        ),
        (
            outside && voice.is_loopback() && media.browser_advertise.is_none(),
            format!(
                "browsers elsewhere hear nothing: their sound goes to {voice} (media.browser_listen)"
            ),
        ),
        (
            http.certificate.is_some() && http.https.is_none() && sip.tls.is_none(),
            "http.certificate has no effect without http.https or sip.tls".to_owned(),
        ),
    ];
    Ok(doubts.into_iter().filter_map(|(holds, words)| holds.then_some(words)).collect())
}

/// `antiphon serve`.
pub(crate) async fn serve(settings: Settings) -> anyhow::Result<()> {
    for doubt in check(&settings)? {
        tell(&format!("beware: {doubt}"));
    }
    let house = House::start(&settings, FirstStart::Token).await?;
    let mut greeting = String::new();
    writeln!(greeting, "Antiphon runs.")?;
    writeln!(greeting, "  web   http://{}", house.http)?;
    if let Some(https) = house.https {
        writeln!(greeting, "  web   https://{https}")?;
    }
    write!(greeting, "  sip   udp and tcp {}", house.sip_address)?;
    if let Some(tls) = house.sips_address {
        write!(greeting, ", tls {tls}")?;
    }
    tell(&greeting);
    house.until_told().await
}

#[cfg(test)]
mod tests;
