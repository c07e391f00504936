//! Every limit of the house, named, with its unit at the end. What is over gets a clear refusal.

/// Live calls in one tenant's cell.
pub const CALLS_PER_CELL_MAX: usize = 5_000;
/// Contacts that wait in one queue.
pub const QUEUE_ENTRIES_MAX: usize = 2_000;
/// Queues of a tenant.
pub const QUEUES_PER_TENANT_MAX: usize = 500;
/// Agents of a tenant.
pub const AGENTS_PER_TENANT_MAX: usize = 5_000;
/// Skills that one agent can have or one contact can ask for.
pub const SKILLS_MAX: usize = 64;
/// Highest proficiency of a skill; the lowest is 1.
pub const PROFICIENCY_MAX: u8 = 10;
/// Inputs that may wait for a cell; over it a call gets 503 and a command 503.
pub const CELL_MAILBOX_INPUTS_MAX: usize = 8_192;
/// Messages that a cell takes before it looks at its commits and timers again, a count.
pub const CELL_MESSAGES_PER_TURN_MAX: usize = 64;
/// Inputs between two checkpoints of a cell: the most that a rebuild after a panic repeats, and
/// that are held in memory for it.
pub const CHECKPOINT_INPUTS_MAX: usize = 256;
/// Time that a stopping cell waits for the disk, in milliseconds: longer than a slow disk needs,
/// shorter than a service manager's patience.
pub const STOP_MS_MAX: u64 = 10_000;
/// Updates of a tenant's topics that a slow watcher may be behind before it has to read the newest
/// views again.
pub const BOARD_UPDATES_MAX: usize = 1_024;
/// Tries to tell a cell its configuration from a record that is busy.
pub const CONFIG_TRIES_MAX: usize = 5;
/// Pause between two of them, in milliseconds.
pub const CONFIG_PAUSE_MS: u64 = 200;
/// Tries to hand a clip to a media plane that is behind.
pub const CLIP_TRIES_MAX: usize = 50;
/// Pause between two of them, in milliseconds: a second in all.
pub const CLIP_PAUSE_MS: u64 = 20;
/// Time that a page waits for the answer to its phone offer, in milliseconds; then it is refused.
pub const PHONE_OFFER_MS_MAX: u64 = 5_000;
/// Lines of a page's phone offer; Chromium's with candidates has about 70.
pub const PHONE_OFFER_LINES_MAX: usize = 1_000;
/// Time that a page has to connect its phone, in seconds: one that has not by then never will, and
/// offers anew.
pub const PHONE_CONNECT_S_MAX: u64 = 30;
/// Addresses from which the phone of one page may send: the interfaces of a laptop, each over IPv4
/// and IPv6. The oldest leaves.
pub const PHONE_SOURCES_MAX: usize = 8;
/// Time for which the leg of a page that is gone is kept, in milliseconds: twice the grace of a
/// conversation, so that whoever comes back finds it.
pub const PHONE_GONE_MS_MAX: i64 = 60_000;
/// Recordings cut off by a crash that are looked at side by side while calls are taken again: each
/// reads a whole file.
pub const SALVAGES_AT_ONCE_MAX: usize = 2;
/// Events that wait for a slow disk before the oldest are dropped and a gap is recorded.
pub const UNSAVED_EVENTS_MAX: usize = 100_000;
/// Lines of the flight log that may wait for the disk, about 2 s of a busy house; what is over is
/// lost to the log and counted.
pub const FLIGHT_LINES_MAX: usize = 4_096;
/// Bytes of a chunk of the flight log that is full: what a crash can lose.
pub const FLIGHT_CHUNK_BYTES: usize = 64 * 1_024;
/// Bytes of the longest chunk that a reader accepts: a serialised cell is one chunk.
pub const FLIGHT_CHUNK_BYTES_MAX: usize = 256 * 1_024 * 1_024;
/// Inputs of one segment of the flight log: what a replay of one has to go through.
pub const FLIGHT_SEGMENT_INPUTS_MAX: u32 = 50_000;
/// Length of one segment, in milliseconds.
pub const FLIGHT_SEGMENT_MS_MAX: i64 = 300_000;
/// Age at which a segment is removed, in seconds: it holds what callers typed.
pub const FLIGHT_KEEP_S: u64 = 24 * 3_600;
/// Bytes of the flight log of the whole house; the oldest segments leave first.
pub const FLIGHT_BYTES_MAX: u64 = 4 * 1_024 * 1_024 * 1_024;
/// Time that a stop waits for the end of the flight log, in milliseconds.
pub const FLIGHT_FINISH_MS_MAX: u64 = 2_000;
/// Time an event for whose record nobody waits is held for others to join its commit, in
/// milliseconds. With the writer's pause and the steps of timers it makes 50 at most (ADR 0016).
pub const GATHER_MS: i64 = 36;
/// Events that are encoded on the thread of the calls. More wait only behind a disk that failed;
/// encoding all of them there would hold up calls.
pub const COMMIT_EVENTS_INLINE_MAX: usize = 1_000;
/// Time a commit may take before the house is degraded, in milliseconds.
pub const COMMIT_LATE_MS: i64 = 500;

/// Nodes of one flow.
pub const FLOW_NODES_MAX: usize = 500;
/// Depth to which the conditions of a flow may nest: they are read by recursion.
pub const FLOW_CONDITION_DEPTH_MAX: usize = 8;
/// Seconds that a node may wait for a key.
pub const FLOW_KEY_S_MAX: u32 = 60;
/// Times that a node may ask.
pub const FLOW_TRIES_MAX: u32 = 10;
/// Seconds that a flow may let a contact wait: as long as a call may live.
pub const FLOW_WAIT_S_MAX: u32 = 12 * 3_600;
/// Lowest and highest priority of a contact; a plain number.
pub const FLOW_PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;
/// Nodes that one call may pass without waiting for the caller or for time.
pub const FLOW_STEPS_WITHOUT_WAIT_MAX: u32 = 100;
/// Nodes that one call may pass in its whole life.
pub const FLOW_STEPS_PER_CALL_MAX: u32 = 1_000;
/// Bytes of one flow document.
pub const FLOW_BYTES_MAX: usize = 512 * 1_024;
/// Characters of a name of a node, variable, skill or queue.
pub const NAME_CHARS_MAX: usize = 64;
/// Variables of one call.
pub const CALL_VARIABLES_MAX: usize = 64;
/// Characters of a variable's value.
pub const CALL_VARIABLE_CHARS_MAX: usize = 256;
/// Digits that one `collect` may ask for.
pub const COLLECT_DIGITS_MAX: u8 = 32;
/// Digits per second that one leg may send; the rest are dropped and counted by every plane.
pub const DIGITS_PER_SECOND_MAX: u32 = 20;

/// Time between the two ways of one key, SIP INFO and RTP, at most, in milliseconds: INFO is often
/// sent when the key is let go and may be repeated.
pub const KEY_TWIN_MS: i64 = 3_000;

/// Time for which a contact is not offered again to an agent who declined it, in milliseconds. Not
/// for ever: the only agent of a queue must not starve it.
pub const OFFER_EXCLUSION_MS: i64 = 30_000;
/// Time for which an agent is offered nothing after the house could not ring their telephone, in
/// milliseconds: a shortage is over by itself or not at once.
pub const AGENT_REST_MS: i64 = 5_000;
/// Offers that ended and are still told from those that never were; the oldest are forgotten first.
pub const OFFERS_REMEMBERED_MAX: usize = 1_000;
/// Time after the computed end of a play-out at which the floor goes on without the report of the
/// media plane, in milliseconds.
pub const PLAY_LATE_MS: i64 = 5_000;
/// Time a customer waits for a lost agent's page to come back, in milliseconds.
pub const DEVICE_GRACE_MS: i64 = 30_000;
/// Time after a wish that was refused within which a telephone that hangs up does so by itself, in
/// milliseconds: the customer is kept.
pub const REFER_GRACE_MS: i64 = 2_000;
/// Least digits of an agent's extension.
pub const EXTENSION_DIGITS_MIN: usize = 2;
/// Most digits of an agent's extension.
pub const EXTENSION_DIGITS_MAX: usize = 6;
/// Longest time for which a telephone's call to the house itself waits to be up, in milliseconds.
pub const ERRAND_MS_MAX: i64 = 30_000;
/// Time a colleague rings who is asked into a conversation whose queue is gone, in milliseconds;
/// otherwise it is the queue's ring time.
pub const CONSULT_RING_MS: i64 = 20_000;
/// Colleagues that an agent is shown to ask one of, those who are free first.
pub const COLLEAGUES_MAX: usize = 500;
/// Longest wrap-up, in milliseconds, extensions included.
pub const WRAP_UP_MS_MAX: i64 = 3_600_000;
/// Longest time a call may live, in milliseconds. What is older is a fault and is ended.
pub const CALL_MS_MAX: i64 = 12 * 3_600_000;
/// Time after which a timer whose handling failed is tried again, in milliseconds: long enough that
/// a fault which stays costs nothing.
pub const TIMER_PUT_OFF_MS: i64 = 60_000;
/// Timers that a cell fires before it looks at its messages again, a count: a thousand calls whose
/// wait ends in one instant must not keep a key waiting.
pub const TIMERS_PER_TURN_MAX: usize = 64;
/// Characters of a note at wrap-up.
pub const NOTE_CHARS_MAX: usize = 4_000;

/// Characters of a dialled number or extension.
pub const DIAL_STRING_CHARS_MAX: usize = 64;
/// Characters of a domain (RFC 1035 section 2.3.4, without the final dot).
pub const DOMAIN_CHARS_MAX: usize = 253;
/// Characters of one label of a domain.
pub const DOMAIN_LABEL_CHARS_MAX: usize = 63;
/// Bytes of one SIP message over UDP; longer ones are refused before they are parsed.
pub const SIP_MESSAGE_BYTES_MAX: usize = 8_000;
/// SIP requests outside a dialog that one source address may send per second: what a slow core was
/// measured to carry with room to spare.
pub const SIP_REQUESTS_PER_SOURCE_PER_SECOND_MAX: u32 = 500;
/// How many times as many requests inside its dialogs, copies included, a source address may send:
/// a call is ten messages and as many copies, and its keys come on top.
pub const SIP_REQUESTS_INSIDE_FACTOR: u32 = 20;
/// Source addresses whose rate, conduct or ban is kept; the oldest leave first.
pub const SIP_SOURCES_MAX: usize = 10_000;
/// Length of the first ban of a SIP source, in seconds; each that follows is twice as long.
pub const SIP_BAN_S: u64 = 60;
/// Length of the longest ban of a SIP source, in seconds.
pub const SIP_BAN_S_MAX: u64 = 3_600;
/// Window in which the garbage of a SIP source is counted, in seconds.
pub const SIP_BAN_WINDOW_S: u64 = 10;
/// Messages in a window, most of them garbage, for which a SIP source is banned.
pub const SIP_BAN_MESSAGES_MIN: u32 = 100;
/// Seconds in a row over its rate for which a SIP source is banned.
pub const SIP_BAN_OVER_RATE_S: u32 = 10;
/// Age after which a nonce of a digest challenge is stale, in seconds.
pub const SIP_NONCE_S: u64 = 300;
/// Nonces in use that are remembered, to know a request that is sent again; the oldest leave first.
pub const SIP_NONCES_USED_MAX: usize = 100_000;
/// How long a telephone is registered when it names no time, in seconds.
pub const SIP_EXPIRES_S: u32 = 300;
/// The shortest time for which a telephone may register, in seconds.
pub const SIP_EXPIRES_S_MIN: u32 = 60;
/// The longest time for which a telephone may register, in seconds.
pub const SIP_EXPIRES_S_MAX: u32 = 3_600;
/// By how many thousandths a registration may end earlier than asked for, so that telephones that
/// came together do not come together again.
pub const SIP_EXPIRES_EARLY_MAX: u32 = 200;
/// Contacts of one telephone.
pub const SIP_CONTACTS_PER_DEVICE_MAX: usize = 8;
/// Length of the URI of a contact, in bytes.
pub const SIP_CONTACT_BYTES_MAX: usize = 512;
/// Wrong secrets of one telephone from one address within `SIP_LOCKOUT_S` after which no other is
/// weighed.
pub const SIP_WRONG_SECRETS_MAX: u32 = 10;
/// How long that is, in seconds from the first.
pub const SIP_LOCKOUT_S: u64 = 300;
/// Telephones and addresses of which wrong secrets are counted; the oldest leave first.
pub const SIP_LOCKOUTS_MAX: usize = 10_000;
/// Parts of the body of a SIP message that are looked at.
pub const SIP_BODY_PARTS_MAX: usize = 16;
/// SIP legs at once in the whole process.
pub const SIP_LEGS_MAX: usize = 20_000;
/// SIP transactions that are remembered. Each stays for half a minute after its end, so this is
/// what some 1,000 calls a second leave behind.
pub const SIP_TRANSACTIONS_MAX: usize = 200_000;
/// Others that answer one outgoing call as well and are hung up on.
pub const SIP_FORKS_MAX: usize = 16;
/// Commands to the SIP plane that may wait, and events for the hub: over it a command is refused,
/// and new calls get 503 until the hub has caught up.
pub const SIP_QUEUED_MAX: usize = 8_192;
/// Bytes of datagrams that the kernel is asked to hold for the SIP socket, each way: some thousand
/// messages, the burst of a second.
pub const SIP_SOCKET_BYTES: usize = 4 * 1_024 * 1_024;
/// Datagrams that are remembered to know their copies, each way: at some thousand per second a copy
/// that comes a second later is still known.
pub const SIP_RECENT_MAX: usize = 32_768;
/// Bytes of one SIP message that are read from a stream; one that is longer ends its connection.
pub const SIP_STREAM_MESSAGE_BYTES_MAX: usize = 65_535;
/// SIP connections at once.
pub const SIP_STREAMS_MAX: usize = 16_384;
/// SIP connections of which nothing is known yet: the oldest leave first.
pub const SIP_STREAMS_NEW_MAX: usize = 1_024;
/// The same of one address, of IPv6 of one /64.
pub const SIP_STREAMS_NEW_PER_SOURCE_MAX: usize = 256;
/// SIP connections that one source address may open per second.
pub const SIP_STREAMS_PER_SOURCE_PER_SECOND_MAX: u32 = 200;
/// Bytes that may wait until a SIP connection takes them, the hang-ups of a whole trunk among them:
/// over it the connection is closed.
pub const SIP_STREAM_WAITING_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// The same for one of which nothing is known yet.
pub const SIP_STREAM_NEW_WAITING_BYTES_MAX: usize = 64 * 1_024;
/// Time that a SIP connection may keep a message waiting, in seconds; then it is closed.
pub const SIP_STREAM_WRITE_S_MAX: u64 = 20;
/// Time that a call may ring, in and out, in seconds; then it ends as not answered.
pub const SIP_RING_S_MAX: u64 = 180;
/// Time that a change of a session waits for our answer, in milliseconds; then it gets 500 and the
/// session stays as it was.
pub const SIP_REANSWER_MS_MAX: u64 = 5_000;
/// Time that a stop waits until its hang-ups are answered, in milliseconds.
pub const SIP_STOP_MS_MAX: u64 = 3_000;
/// Payload types of one media offer that are looked at.
pub const MEDIA_PAYLOADS_MAX: usize = 32;
/// Bytes of one session description.
pub const SDP_BYTES_MAX: usize = 16 * 1_024;
/// Media streams of one session description; an answer has to mirror each.
pub const SDP_STREAMS_MAX: usize = 32;
/// Longest packet time that a peer may ask for, in milliseconds; a longer one says nothing.
pub const PTIME_MS_MAX: u8 = 200;

/// Milliseconds of one media frame. All prompts, mixes and recordings work in it.
pub const FRAME_MS: i64 = 20;
/// Samples of one frame at 8 kHz.
pub const FRAME_SAMPLES: usize = 160;
/// Frames that a jitter buffer may hold (200 ms).
pub const JITTER_FRAMES_MAX: usize = 10;
/// Length of a press whose end packet never came, in milliseconds; then the key was let go.
pub const KEY_PRESS_MS_MAX: u64 = 3_000;
/// Time without a packet from a peer in a conversation before its leg is ended, in milliseconds.
pub const SILENT_MS_MAX: i64 = 30_000;
/// The same while a leg only listens, to a prompt or the music of a queue, in milliseconds: with
/// voice activity detection a gateway sends nothing for a caller who is silent.
pub const SILENT_LISTENING_MS_MAX: i64 = 300_000;
/// Seconds of one prompt.
pub const PROMPT_S_MAX: u32 = 600;
/// Channels of a sound that is uploaded; they are mixed into one.
pub const PROMPT_CHANNELS_MAX: u16 = 8;
/// Sample rates of a sound that is uploaded, in hertz.
pub const PROMPT_RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Prompts that one play-out may name.
pub const PLAY_ITEMS_MAX: usize = 16;
/// Milliseconds of audio in one recording block.
pub const RECORDING_BLOCK_MS: i64 = 1_000;
/// Blocks of recordings that may wait for the disk, some 20 s of 200 recordings; what is over is
/// lost, and the recording is marked.
pub const RECORDING_BLOCKS_MAX: usize = 6_500;
/// Written blocks that are kept to be filled again.
pub const RECORDING_SPARE_BLOCKS_MAX: usize = 512;
/// Time that written sound may wait until it is safe on the disk, in milliseconds.
pub const RECORDING_SYNC_MS: u64 = 5_000;
/// Time that the end of a recording waits for room in the queue of the hub, in milliseconds.
pub const RECORDING_TELL_MS_MAX: u64 = 5_000;

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters of a password: more would only cost time to hash.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Characters of a mail address (RFC 5321 section 4.5.3.1.3, without brackets).
pub const MAIL_CHARS_MAX: usize = 254;
/// People of one mail address, over all tenants, whose password is compared at a sign-in.
pub const SIGN_IN_CANDIDATES_MAX: usize = 8;
/// Failed sign-ins to one account from one network in a minute.
pub const SIGN_IN_FAILURES_PER_ACCOUNT_AND_NETWORK_MAX: u32 = 5;
/// Failed sign-ins from one network in a minute: a whole office may mistype behind one address.
pub const SIGN_IN_FAILURES_PER_NETWORK_MAX: u32 = 100;
/// Failed sign-ins to one account in a minute, from anywhere: so many that hardly anybody can lock
/// it from afar, and far too few to guess a password.
pub const SIGN_IN_FAILURES_PER_ACCOUNT_MAX: u32 = 1_000;
/// Sign-ins of one network that are being looked at: an office at nine o'clock.
pub const SIGN_INS_AT_ONCE_PER_NETWORK_MAX: u32 = 500;
/// Sign-ins of the whole house that are being looked at: each costs tens of milliseconds.
pub const SIGN_INS_AT_ONCE_MAX: u32 = 1_000;
/// Accounts and networks whose failed sign-ins are remembered; the stalest leave first.
pub const SIGN_IN_KEYS_MAX: usize = 50_000;
/// Time for which a session goes on without an open page, in milliseconds.
pub const SESSION_IDLE_MS: i64 = 12 * 3_600_000;
/// Age at which a session ends although pages are open, in milliseconds. A contact is finished.
pub const SESSION_AGE_MS_MAX: i64 = 24 * 3_600_000;
/// Bytes of a WebSocket frame from a client.
pub const WS_FRAME_BYTES_MAX: usize = 64 * 1_024;
/// Topics of one WebSocket.
pub const WS_TOPICS_MAX: usize = 200;
/// Bytes that may wait for one slow WebSocket before it is closed.
pub const WS_QUEUED_BYTES_MAX: usize = 256 * 1_024;
/// Bytes of a REST body.
pub const HTTP_BODY_BYTES_MAX: usize = 1_024 * 1_024;
/// Bytes of the body of a request by somebody who is not known yet: to sign in, or the first start.
pub const HTTP_ENTRANCE_BYTES_MAX: usize = 8 * 1_024;
/// Answers remembered for requests that are sent twice.
pub const IDEMPOTENT_ANSWERS_MAX: usize = 20_000;
/// Answers remembered for one account, those that are being made included.
pub const IDEMPOTENT_ANSWERS_PER_ACCOUNT_MAX: usize = 500;
/// Bytes of all answers remembered.
pub const IDEMPOTENT_BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Length of all sounds of one tenant, in milliseconds: they are in memory while it runs, 16 bytes
/// a millisecond.
pub const PROMPTS_MS_PER_TENANT_MAX: i64 = 3 * 3_600_000;
/// Sounds that are uploaded at once: each is held whole while it is read.
pub const UPLOADS_AT_ONCE_MAX: usize = 2;
/// Time an upload waits for those before it, in milliseconds.
pub const UPLOAD_WAIT_MS_MAX: u64 = 2_000;
/// Rows of one page.
pub const PAGE_ROWS_MAX: u32 = 200;
