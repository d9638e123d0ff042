//! One QuickJS runtime: a realm for documents and rows (`host.js`), one more for each function (`guest.js`), and the
//! bounds around them. It is thrown away when a bound is reached, for what a function left half done is not known.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use rquickjs::context::intrinsic;
use rquickjs::{Context, Ctx, Error as JsError, Function, Persistent, Runtime};

use crate::clock::Clock;
use crate::failure::{Error, Failure};
use crate::json;
use crate::limits::{CALL_ROOM_BYTES, CALL_ROOM_PER_BYTE, CALL_ROOM_STEP_BYTES, HOARD_BYTES, Limits};
use crate::log::Log;
use crate::realms::{compile, guard, not_started, roles, set_up_guest, set_up_host};
use crate::sandbox::Sources;

/// What a realm of documents needs; whatever it has, documents lead to.
type HostBuiltIns = (intrinsic::Eval, intrinsic::Json);
/// JavaScript without clocks of its own, weak references, raw memory and the web.
type GuestBuiltIns = (
    intrinsic::Date,
    intrinsic::Eval,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::Promise,
);

type HostFunction = Persistent<Function<'static>>;

pub(crate) struct Engine {
    // Dropped in this order: values before their realm, the realm before the runtime.
    map: HostFunction,
    filter: HostFunction,
    reduce: HostFunction,
    reduce_each: HostFunction,
    call: HostFunction,
    message: HostFunction,
    apart: HostFunction,
    maps: usize,
    reduces: usize,
    functions: usize,
    clock: Rc<Clock>,
    time: Cell<Duration>,
    log: Rc<RefCell<Log>>,
    host: Context,
    runtime: Runtime,
    /// Bytes it may use, and those in use when it was fresh.
    memory_bytes: usize,
    fresh_bytes: usize,
    /// The limit that is set.
    limit_bytes: Cell<usize>,
}

impl Engine {
    pub(crate) fn new(sources: &Sources, limits: Limits) -> Result<Engine, Error> {
        let runtime = Runtime::new().map_err(not_started)?;
        let clock = Rc::new(Clock::new());
        let watched = Rc::clone(&clock);
        runtime.set_interrupt_handler(Some(Box::new(move || watched.is_over())));
        runtime.set_max_stack_size(limits.stack_bytes);
        let host = Context::custom::<HostBuiltIns>(&runtime).map_err(not_started)?;
        let roles = roles(sources);
        let guests: Vec<Context> = roles
            .iter()
            .map(|_| Context::custom::<GuestBuiltIns>(&runtime))
            .collect::<Result<_, _>>()
            .map_err(not_started)?;
        // Only now: a realm that memory does not suffice for is not refused, it is broken.
        runtime.set_memory_limit(limits.memory_bytes);

        let log = Rc::new(RefCell::new(Log::default()));
        clock.start(limits.call_time);
        let prelude = host.with(|ctx| {
            guard(&ctx, &clock).map_err(not_started)?;
            set_up_host(&ctx, sources)
        })?;
        for ((role, source), guest) in roles.into_iter().zip(&guests) {
            clock.start(limits.call_time);
            guest.with(|ctx| {
                let prelude = prelude.clone().restore(&ctx).map_err(not_started)?;
                guard(&ctx, &clock).map_err(not_started)?;
                set_up_guest(&ctx, &prelude, &log, role).map_err(not_started)?;
                compile(&ctx, &prelude, role, source)
            })?;
        }
        let (map, filter, reduce, reduce_each, call, message, apart) = host
            .with(|ctx| {
                let prelude = prelude.restore(&ctx)?;
                let keep = |name| {
                    let function: Function = prelude.get(name)?;
                    Ok::<_, JsError>(Persistent::save(&ctx, function))
                };
                Ok((
                    keep("map")?,
                    keep("filter")?,
                    keep("reduce")?,
                    keep("reduceEach")?,
                    keep("call")?,
                    keep("message")?,
                    keep("setApart")?,
                ))
            })
            .map_err(not_started)?;
        Ok(Engine {
            map,
            filter,
            reduce,
            reduce_each,
            call,
            message,
            apart,
            maps: sources.maps.len(),
            reduces: sources.reduces.len(),
            functions: sources.functions.len(),
            clock,
            time: Cell::new(limits.call_time),
            log,
            host,
            memory_bytes: limits.memory_bytes,
            fresh_bytes: bytes_in_use(&runtime),
            limit_bytes: Cell::new(limits.memory_bytes),
            runtime,
        })
    }

    /// Calls may take so long from now on.
    pub(crate) fn set_time(&self, time: Duration) {
        self.time.set(time);
    }

    /// From now on a map is only called alone.
    pub(crate) fn set_apart(&self, map: usize) -> Result<(), Failure> {
        let index = i32::try_from(map).unwrap_or(i32::MAX);
        self.run(&self.apart, "null", index).map(drop)
    }

    /// All maps but those set apart, whose line is empty, or `only` the one.
    pub(crate) fn map(
        &self,
        doc: &str,
        only: Option<usize>,
    ) -> Result<Vec<Result<String, Failure>>, Failure> {
        if self.maps == 0 {
            return Ok(Vec::new());
        }
        let only = only.map_or(-1, |index| i32::try_from(index).unwrap_or(i32::MAX));
        Ok(results(&self.run(&self.map, doc, only)?))
    }

    /// Several reductions; `list` is an array of what [`Engine::reduce`] is given.
    pub(crate) fn reduce_each(
        &self,
        index: usize,
        list: &str,
    ) -> Result<Vec<Result<String, Failure>>, Failure> {
        let at = place(index, self.reduces)?;
        Ok(results(&self.run(&self.reduce_each, list, at)?))
    }

    pub(crate) fn reduce(&self, index: usize, args: &str) -> Result<String, Failure> {
        self.run_indexed(&self.reduce, index, self.reduces, args)
    }

    pub(crate) fn call(&self, index: usize, args: &str) -> Result<String, Failure> {
        self.run_indexed(&self.call, index, self.functions, args)
    }

    pub(crate) fn filter(&self, index: usize, args: &str) -> Result<Vec<bool>, Failure> {
        let passed = self.run_indexed(&self.filter, index, self.functions, args)?;
        Ok(passed.bytes().map(|byte| byte == b'1').collect())
    }

    pub(crate) fn move_log(&self, into: &mut Vec<String>) {
        self.log.borrow_mut().move_into(into);
    }

    fn run_indexed(
        &self,
        function: &HostFunction,
        index: usize,
        count: usize,
        args: &str,
    ) -> Result<String, Failure> {
        let answer = self.run(function, args, place(index, count)?)?;
        match answer.strip_prefix('!') {
            None => Ok(answer),
            Some(thrown) => {
                let (message, value) = thrown.split_once('\n').unwrap_or((thrown, ""));
                Err(failure(message, value))
            }
        }
    }

    /// Whether functions keep much more than they did when it was fresh. Looks at all that is alive.
    pub(crate) fn hoards(&self) -> bool {
        bytes_in_use(&self.runtime) > self.fresh_bytes + HOARD_BYTES
    }

    /// Parses a text and calls a function of the host with what is in it: the one crossing of a call.
    fn run(&self, function: &HostFunction, text: &str, index: i32) -> Result<String, Failure> {
        self.make_room(text.len());
        self.clock.start(self.time.get());
        self.host.with(|ctx| {
            let answer = ctx.json_parse(text).and_then(|value| {
                let function = function.clone().restore(&ctx)?;
                function.call::<_, rquickjs::String>((value, index))?.to_string()
            });
            // Functions may catch what a built-in throws when the time is up.
            if answer.is_ok() && self.clock.has_struck() {
                return Err(Failure::TimedOut);
            }
            answer
                .map(json::without_lone_surrogates)
                .map_err(|error| self.failure_of(&ctx, &error))
        })
    }

    /// Sets how much memory a call may use that is given so many bytes. What a function can do without a look at the
    /// clock takes the longer the more memory it has.
    fn make_room(&self, bytes: usize) {
        let more = bytes.saturating_mul(CALL_ROOM_PER_BYTE) / CALL_ROOM_STEP_BYTES * CALL_ROOM_STEP_BYTES;
        let room = CALL_ROOM_BYTES.saturating_add(more);
        let limit = self.memory_bytes.min(self.fresh_bytes.saturating_add(room));
        if self.limit_bytes.replace(limit) != limit {
            self.runtime.set_memory_limit(limit);
        }
    }

    /// What the host did not catch: bounds, and texts that are not JSON.
    fn failure_of(&self, ctx: &Ctx<'_>, error: &JsError) -> Failure {
        let thrown = ctx.catch();
        if self.clock.has_struck() {
            return Failure::TimedOut;
        }
        match error {
            JsError::Exception => {
                let message = self.message.clone().restore(ctx);
                let message = message.and_then(|message| message.call::<_, String>((thrown,)));
                message.map_or(Failure::OutOfMemory, |message| failure(&message, ""))
            }
            // A string that could not be made.
            JsError::Unknown | JsError::Allocation => Failure::OutOfMemory,
            other => Failure::threw(other.to_string()),
        }
    }
}

fn place(index: usize, count: usize) -> Result<i32, Failure> {
    let at = i32::try_from(index).ok().filter(|_| index < count);
    at.ok_or_else(|| Failure::Unavailable(format!("the sandbox has no function {index}")))
}

/// What is in lines of which each is a value, or `!` and what was thrown.
fn results(lines: &str) -> Vec<Result<String, Failure>> {
    let result = |line: &str| match line.strip_prefix('!') {
        None => Ok(line.to_string()),
        Some(message) => Err(failure(message, "")),
    };
    lines.split('\n').map(result).collect()
}

fn bytes_in_use(runtime: &Runtime) -> usize {
    usize::try_from(runtime.memory_usage().malloc_size).unwrap_or_default()
}

fn failure(message: &str, value: &str) -> Failure {
    // With no memory left for its text, the error comes without, or does not come at all.
    if [
        "InternalError: out of memory",
        "InternalError",
        "[unsupported type]",
    ]
    .contains(&message)
    {
        return Failure::OutOfMemory;
    }
    Failure::Threw {
        value: (!value.is_empty()).then(|| value.to_string()),
        message: message.to_string(),
    }
}
