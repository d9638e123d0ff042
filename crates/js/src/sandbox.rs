//! A sandbox: the functions of one design document, ready to be called from one thread.

use crate::engine::Engine;
use crate::failure::{Error, Failure};
use crate::json;
use crate::limits::Limits;

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
            sources,
            limits,
            engine,
            log: Vec::new(),
        })
    }

    /// Calls every map with a document: for each of them the rows as `[[key,value],…]`, in the order of emission, or
    /// why there are none.
    ///
    /// No text has a lone surrogate in it, escaped or not: each becomes U+FFFD, as in CouchDB.
    pub fn map(&mut self, doc: &str) -> Vec<Result<String, Failure>> {
        let all = self.run(|engine| engine.map(doc, None));
        let maps = self.sources.maps.len();
        match all {
            Ok(rows) if !rows.iter().any(is_spoiled) => rows,
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
        self.run(|engine| engine.reduce(index, &json::array([keys, values, "false"])))
    }

    /// Reduces an array of results of [`Sandbox::reduce`] or of this.
    ///
    /// # Errors
    ///
    /// As of [`Sandbox::reduce`].
    pub fn rereduce(&mut self, index: usize, values: &str) -> Result<String, Failure> {
        self.run(|engine| engine.reduce(index, &json::array(["null", values, "true"])))
    }

    /// Calls `functions[index]` with arguments that are JSON texts. `undefined` comes back as `null`.
    ///
    /// # Errors
    ///
    /// The function threw ([`Failure::Threw`] has the value), or went over a bound.
    pub fn call(&mut self, index: usize, args: &[&str]) -> Result<String, Failure> {
        self.run(|engine| engine.call(index, &json::array(args.iter().copied())))
    }

    /// Calls `functions[index]` with each document and `req`: whether it gave something true.
    ///
    /// # Errors
    ///
    /// As of [`Sandbox::call`]: the first document over which the function throws ends the batch.
    pub fn filter(&mut self, index: usize, docs: &[&str], req: &str) -> Result<Vec<bool>, Failure> {
        let docs = json::array(docs.iter().copied());
        self.run(|engine| engine.filter(index, &json::array([docs.as_str(), req])))
    }

    /// The lines that functions have given to `log` since the last time, the first 64 KB of them.
    pub fn take_log(&mut self) -> Vec<String> {
        if let Some(engine) = &self.engine {
            engine.move_log(&mut self.log);
        }
        std::mem::take(&mut self.log)
    }

    fn map_alone(&mut self, index: usize, doc: &str) -> Result<String, Failure> {
        let rows = self.run(|engine| engine.map(doc, Some(index)))?.pop();
        let rows = rows.unwrap_or_else(|| Err(Failure::Unavailable("no rows came back".into())));
        if is_spoiled(&rows) {
            self.retire();
        }
        rows
    }

    /// Calls into the engine, which is made when there is none, and thrown away when a bound was reached.
    fn run<T>(&mut self, call: impl FnOnce(&Engine) -> Result<T, Failure>) -> Result<T, Failure> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => Engine::new(&self.sources, self.limits)
                .map_err(|error| Failure::Unavailable(error.to_string()))?,
        };
        let result = call(self.engine.insert(engine));
        if result.as_ref().is_err_and(Failure::spoils_engine) {
            self.retire();
        }
        result
    }

    fn retire(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.move_log(&mut self.log);
        }
    }
}

fn is_spoiled(rows: &Result<String, Failure>) -> bool {
    rows.as_ref().is_err_and(Failure::spoils_engine)
}
