//! A sandbox: the functions of one design document, ready to be called from one thread.

use std::time::Duration;

use crate::engine::Engine;
use crate::failure::{Error, Failure};
use crate::json;
use crate::limits::{CALL_TIME, Limits};
use crate::reads::Members;

/// The functions of a sandbox, as their design document has them.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Called together by [`Sandbox::map`].
    pub maps: Vec<String>,
    /// Called by [`Sandbox::reduce`] and [`Sandbox::rereduce`]; they cannot `require`.
    pub reduces: Vec<String>,
    /// Called by [`Sandbox::call`] and [`Sandbox::filter`].
    pub functions: Vec<String>,
    /// The JSON text of the tree in which `require` finds modules, `{"views":{"lib":{…}}}` or a whole design document;
    /// `this` of `functions`.
    pub modules: Option<String>,
}

/// The functions of a design document, compiled. It stays on the thread that made it.
pub struct Sandbox {
    sources: Sources,
    limits: Limits,
    /// Absent after a call that went over a bound, until the next one.
    engine: Option<Engine>,
    /// Maps that are called alone, and how long they may take.
    apart: Vec<(usize, Duration)>,
    /// What documents are shown with, if not with all.
    shown: Option<Members>,
    log: Vec<String>,
}

impl Sandbox {
    /// Compiles all functions.
    ///
    /// # Errors
    ///
    /// The first function that does not compile; modules that are not JSON.
    pub fn new(sources: Sources, limits: Limits) -> Result<Sandbox, Error> {
        let engine = Some(Engine::new(&sources, limits)?);
        Ok(Sandbox {
            shown: Members::read_by(&sources.maps),
            sources,
            limits,
            engine,
            apart: Vec::new(),
            log: Vec::new(),
        })
    }

    /// From now on a call may take so long, except for maps with a time of their own.
    pub fn set_call_time(&mut self, time: Duration) {
        self.limits.call_time = time;
    }

    /// From now on a map is called apart from the others, and may take so long.
    pub fn set_map_time(&mut self, map: usize, time: Duration) {
        match self.apart.iter_mut().find(|(apart, _)| *apart == map) {
            Some((_, before)) => *before = time,
            None => {
                self.apart.push((map, time));
                // One that cannot is made anew, and told then.
                let told = self.engine.as_ref().map(|engine| engine.set_apart(map));
                if told.is_some_and(|told| told.is_err()) {
                    self.retire();
                }
            }
        }
    }

    /// Whether functions keep some megabytes more than at first. Takes as long as there are values to look at.
    pub fn hoards(&self) -> bool {
        self.engine.as_ref().is_some_and(Engine::hoards)
    }

    /// Calls every map with a document: for each of them the rows as `[[key,value],…]`, in the order of emission, or
    /// why there are none.
    ///
    /// No text has a lone surrogate in it, escaped or not: each becomes U+FFFD, as in CouchDB.
    pub fn map(&mut self, doc: &str) -> Vec<Result<String, Failure>> {
        let shown = self.shown.as_ref().and_then(|members| members.of(doc).ok());
        let doc = shown.as_deref().unwrap_or(doc);
        let maps = self.sources.maps.len();
        if self.apart.len() == maps {
            return (0..maps).map(|index| self.map_alone(index, doc)).collect();
        }
        let all = self.run(self.limits.call_time, |engine| engine.map(doc, None));
        match all {
            Ok(mut rows) if !rows.iter().any(is_spoiled) => {
                for at in 0..self.apart.len() {
                    let index = self.apart.get(at).map_or(0, |(index, _)| *index);
                    let alone = self.map_alone(index, doc);
                    if let Some(row) = rows.get_mut(index) {
                        *row = alone;
                    }
                }
                rows
            }
            Ok(_) | Err(Failure::TimedOut | Failure::OutOfMemory) => {
                // One of them went over a bound: each alone shows which, and the others keep their rows.
                self.retire();
                (0..maps).map(|index| self.map_alone(index, doc)).collect()
            }
            Err(failure) => vec![Err(failure); maps],
        }
    }

    /// Reduces rows of a map. `keys` is an array of `[key,id]`, `values` an array as long.
    ///
    /// # Errors
    ///
    /// The function threw, or went over a bound. CouchDB takes null for the result of one that threw.
    pub fn reduce(&mut self, index: usize, keys: &str, values: &str) -> Result<String, Failure> {
        self.run(self.limits.call_time, |engine| {
            engine.reduce(index, &json::array([keys, values, "false"]))
        })
    }

    /// Reduces several lists of rows as [`Sandbox::reduce`] does, each with its keys and values.
    pub fn reduce_each(&mut self, index: usize, lists: &[(&str, &str)]) -> Vec<Result<String, Failure>> {
        let args = lists
            .iter()
            .map(|(keys, values)| json::array([*keys, values, "false"]));
        let args: Vec<String> = args.collect();
        let list = json::array(args.iter().map(String::as_str));
        let all = self.run(self.limits.call_time, |engine| engine.reduce_each(index, &list));
        match all {
            Ok(results) if results.len() == lists.len() && !results.iter().any(is_spoiled) => results,
            // Each alone shows which one went over a bound.
            _ => {
                self.retire();
                let alone = |(keys, values): &(&str, &str)| self.reduce(index, keys, values);
                lists.iter().map(alone).collect()
            }
        }
    }

    /// Reduces an array of results of [`Sandbox::reduce`] or of this.
    ///
    /// # Errors
    ///
    /// As of [`Sandbox::reduce`].
    pub fn rereduce(&mut self, index: usize, values: &str) -> Result<String, Failure> {
        self.run(self.limits.call_time, |engine| {
            engine.reduce(index, &json::array(["null", values, "true"]))
        })
    }

    /// Calls `functions[index]` with arguments that are JSON texts. `undefined` comes back as `null`.
    ///
    /// # Errors
    ///
    /// The function threw ([`Failure::Threw`] has the value), or went over a bound.
    pub fn call(&mut self, index: usize, args: &[&str]) -> Result<String, Failure> {
        self.run(self.limits.call_time, |engine| {
            engine.call(index, &json::array(args.iter().copied()))
        })
    }

    /// Calls `functions[index]` with each document and `req`: whether it gave something true.
    ///
    /// # Errors
    ///
    /// As of [`Sandbox::call`]: the first document over which the function throws ends the batch.
    pub fn filter(&mut self, index: usize, docs: &[&str], req: &str) -> Result<Vec<bool>, Failure> {
        let docs = json::array(docs.iter().copied());
        self.run(self.limits.call_time, |engine| {
            engine.filter(index, &json::array([docs.as_str(), req]))
        })
    }

    /// The lines that functions have given to `log` since the last time, the first 64 KB of them.
    pub fn take_log(&mut self) -> Vec<String> {
        if let Some(engine) = &self.engine {
            engine.move_log(&mut self.log);
        }
        std::mem::take(&mut self.log)
    }

    fn map_alone(&mut self, index: usize, doc: &str) -> Result<String, Failure> {
        let own = self.apart.iter().find(|(apart, _)| *apart == index);
        let time = own.map_or(self.limits.call_time, |(_, time)| *time);
        let rows = self.run(time, |engine| engine.map(doc, Some(index)))?.pop();
        let rows = rows.unwrap_or_else(|| Err(Failure::Unavailable("no rows came back".into())));
        if is_spoiled(&rows) {
            self.retire();
        }
        rows
    }

    /// Calls into the engine, which is made when there is none, and thrown away when a bound was reached.
    fn run<T>(
        &mut self,
        time: Duration,
        call: impl FnOnce(&Engine) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => self.started()?,
        };
        let engine = self.engine.insert(engine);
        engine.set_time(time);
        let result = call(engine);
        if result.as_ref().is_err_and(Failure::is_of_bounds) {
            self.retire();
        }
        result
    }

    fn started(&self) -> Result<Engine, Failure> {
        let unavailable = |error: Error| Failure::Unavailable(error.to_string());
        // Compiling is not what a call may take.
        let limits = Limits {
            call_time: CALL_TIME,
            ..self.limits
        };
        let engine = Engine::new(&self.sources, limits).map_err(unavailable)?;
        for (map, _) in &self.apart {
            engine.set_apart(*map)?;
        }
        Ok(engine)
    }

    fn retire(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.move_log(&mut self.log);
        }
    }
}

fn is_spoiled(rows: &Result<String, Failure>) -> bool {
    rows.as_ref().is_err_and(Failure::is_of_bounds)
}
