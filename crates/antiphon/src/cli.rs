//! The command line: what can be said, and which settings it changes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::domain::Domain;

use crate::settings::Settings;
use crate::{demo, house, keys, manage, say};

/// A contact centre in one program.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the house until it is told to stop.
    Serve(ServeArgs),
    /// Run an example company with living synthetic customers.
    Demo(DemoArgs),
    /// Accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Keys for programs.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Companies that share the house.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// The number plan over all tenants.
    #[command(subcommand)]
    Number(NumberCommand),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Copy the record, sounds and recordings into a new folder while the house runs. The house
    /// key, a certificate that the house made and the flight log are not in it.
    Backup {
        #[command(flatten)]
        place: PlaceArgs,
        /// A folder that does not exist yet.
        #[arg(long)]
        to: PathBuf,
    },
    /// Make a data folder from a backup.
    Restore {
        /// The backup.
        #[arg(long)]
        from: PathBuf,
        /// An empty or missing folder.
        #[arg(long)]
        data: PathBuf,
        /// Leave out recordings that are damaged, and list them. The database has to be whole.
        #[arg(long)]
        skip_damaged: bool,
    },
    /// Replay flight-log segments and name the first decision that differs.
    Replay {
        #[command(flatten)]
        place: PlaceArgs,
        /// Segments; all of the data folder when none is named.
        files: Vec<PathBuf>,
        /// One JSON document per segment.
        #[arg(long)]
        json: bool,
        /// Print what the segments hold and replay nothing.
        #[arg(long, conflicts_with = "json")]
        plain: bool,
    },
}

/// Where the house is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PlaceArgs {
    /// The data folder.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The settings file.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Settings that flags may change.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Address of the web interface, as 127.0.0.1:8080; port 0 for a free one.
    #[arg(long)]
    http: Option<SocketAddr>,
    /// Address of the web interface with TLS, for browsers on other machines. Without files of your
    /// own (http.certificate, http.key) the house makes a certificate that browsers warn about.
    #[arg(long)]
    https: Option<SocketAddr>,
    /// UDP address for SIP, as 127.0.0.1:5060; port 0 for a free one.
    #[arg(long)]
    sip: Option<SocketAddr>,
    /// Networks of a proxy that ends TLS, as 10.0.0.0/8.
    #[arg(long)]
    behind_proxy: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Print one line of JSON with addresses, numbers, accounts and a key.
    #[arg(long)]
    pub(crate) json: bool,
    /// Seconds between two synthetic customers; 0 for none.
    #[arg(long, default_value_t = 6)]
    pub(crate) every: u64,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make an account. The password is read from the standard input.
    Add {
        #[command(flatten)]
        place: PlaceArgs,
        /// The mail address to sign in with.
        #[arg(long)]
        mail: String,
        /// The name colleagues see.
        #[arg(long)]
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// A queue to serve, by name; may be repeated. An agent serves the only queue there is.
        #[arg(long = "queue")]
        queues: Vec<String>,
        /// The tenant's name or id; may be left out when there is only one.
        #[arg(long)]
        tenant: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum ApiKeyCommand {
    /// Make a key. It is printed once and kept only as a digest.
    Create {
        #[command(flatten)]
        place: PlaceArgs,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// What it is for.
        #[arg(long, default_value = "command line")]
        name: String,
        /// For how many days it opens anything, 1 to 3650.
        #[arg(long, default_value_t = keys::KEY_DAYS, value_parser = days())]
        days: u32,
        /// The tenant's name or id; may be left out when there is only one.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Print every key: what it may do, until when, and its name. The keys themselves are nowhere.
    List {
        #[command(flatten)]
        keys: KeysArgs,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Take a key back: it opens nothing any more, at once.
    Revoke {
        #[command(flatten)]
        keys: KeysArgs,
        /// The name it was made under.
        #[arg(long)]
        name: String,
    },
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(keys::KEY_DAYS_MAX))
}

/// Whose keys.
#[derive(Debug, Args)]
struct KeysArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// The tenant's name or id; may be left out when there is only one.
    #[arg(long)]
    tenant: Option<String>,
}

/// A tenant to be made.
#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    /// What people call it.
    #[arg(long)]
    pub(crate) name: String,
    /// IANA name of its time zone.
    #[arg(long, default_value = "UTC")]
    pub(crate) zone: String,
    /// BCP 47 tag of its language.
    #[arg(long, default_value = "en")]
    pub(crate) language: String,
    /// Its SIP domain, as calls.example.org.
    #[arg(long)]
    pub(crate) domain: Option<Domain>,
    /// The mail address of its first administrator.
    #[arg(long)]
    pub(crate) mail: String,
    /// The name of its first administrator.
    #[arg(long, default_value = "Administrator")]
    pub(crate) admin: String,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Make a tenant with its first administrator, whose password is read from the standard input.
    /// Its id is printed.
    Add {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        new: TenantArgs,
    },
    /// Give a tenant its SIP domain: calls to number@domain reach its numbers alone.
    Domain {
        #[command(flatten)]
        place: PlaceArgs,
        /// The tenant's name or id; may be left out when there is only one.
        #[arg(long)]
        tenant: Option<String>,
        /// The domain, as calls.example.org.
        #[arg(required_unless_present = "none")]
        domain: Option<Domain>,
        /// Take the domain away.
        #[arg(long, conflicts_with = "domain")]
        none: bool,
    },
    /// Print id, domain and name of every tenant.
    List(ListArgs),
}

#[derive(Debug, Subcommand)]
enum NumberCommand {
    /// Print every tenant's numbers, the oldest claim first, and whom calls without a domain reach.
    List(ListArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the settings and say what is wrong.
    Check(ServeArgs),
    /// Print the settings in force.
    Show(ServeArgs),
}

/// What an account or a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The desk and its own calls.
    Agent,
    /// All calls.
    Supervisor,
    /// Everything.
    Administrator,
}

impl PlaceArgs {
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(self.config.as_deref(), std::env::vars())?;
        if let Some(dir) = &self.data {
            settings.data.dir.clone_from(dir);
        }
        Ok(settings)
    }
}

impl ServeArgs {
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = self.place.settings()?;
        settings.http.listen = self.http.unwrap_or(settings.http.listen);
        settings.http.https = self.https.or(settings.http.https);
        settings.sip.listen = self.sip.unwrap_or(settings.sip.listen);
        if !self.behind_proxy.is_empty() {
            settings.http.behind_proxy.clone_from(&self.behind_proxy);
        }
        settings.check()?;
        Ok(settings)
    }

    /// Whether a data folder was named, by flag.
    pub(crate) fn names_data(&self) -> bool {
        self.place.data.is_some()
    }
}

impl Cli {
    /// Carries the command out.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        house::log_to_stderr();
        match self.command {
            Command::Replay { place, files, plain: true, .. } => {
                manage::print_flight(&place.settings()?, &files)
            }
            Command::Replay { place, files, json, .. } => {
                manage::replay(&place.settings()?, &files, json)
            }
            Command::Restore { from, data, skip_damaged } => {
                block_on(manage::restore(&from, &data, skip_damaged))
            }
            Command::Config(ConfigCommand::Check(args)) => {
                for doubt in house::check(&args.settings()?)? {
                    say(&format!("beware: {doubt}"));
                }
                say("the settings are in order");
                Ok(())
            }
            Command::Config(ConfigCommand::Show(args)) => {
                say(&toml::to_string_pretty(&args.settings()?)?);
                Ok(())
            }
            Command::Serve(args) => block_on(house::serve(args.settings()?)),
            Command::Demo(args) => block_on(demo::run(args)),
            Command::User(UserCommand::Add { place, mail, name, role, queues, tenant }) => {
                let new = manage::NewUser { mail, name, role, tenant, queues };
                block_on(manage::add_user(place.settings()?, new))
            }
            Command::ApiKey(ApiKeyCommand::Create { place, role, name, tenant, days }) => {
                block_on(manage::create_key(place.settings()?, role, name, tenant, days))
            }
            Command::ApiKey(ApiKeyCommand::List { keys: KeysArgs { place, tenant }, json }) => {
                block_on(manage::list_keys(place.settings()?, tenant, json))
            }
            Command::ApiKey(ApiKeyCommand::Revoke { keys: KeysArgs { place, tenant }, name }) => {
                block_on(manage::revoke_key(place.settings()?, tenant, name))
            }
            Command::Tenant(TenantCommand::Add { place, new }) => {
                block_on(manage::add_tenant(place.settings()?, new))
            }
            Command::Tenant(TenantCommand::Domain { place, tenant, domain, none: _ }) => {
                block_on(manage::set_domain(place.settings()?, tenant, domain))
            }
            Command::Tenant(TenantCommand::List(ListArgs { place, json })) => {
                block_on(manage::list_tenants(place.settings()?, json))
            }
            Command::Number(NumberCommand::List(ListArgs { place, json })) => {
                block_on(manage::list_numbers(place.settings()?, json))
            }
            Command::Backup { place, to } => block_on(manage::backup(place.settings()?, to)),
        }
    }
}

fn block_on(future: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let done = runtime.block_on(future);
    // A read of the console or a disk that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}
