//! The realms of an engine: the one of the host, and one around each function, which is compiled there.

use std::cell::RefCell;
use std::rc::Rc;

use rquickjs::context::EvalOptions;
use rquickjs::{Ctx, Error as JsError, Exception, Function, Object, Persistent, Value};

use crate::clock::{Clock, Refused};
use crate::failure::{Error, Role};
use crate::harmless;
use crate::log::Log;
use crate::sandbox::Sources;

const HOST: &str = include_str!("host.js");
const GUEST: &str = include_str!("guest.js");
const GUARDS: &str = include_str!("guards.js");

pub(crate) fn not_started(error: JsError) -> Error {
    Error::Engine(error.to_string())
}

pub(crate) fn roles(sources: &Sources) -> Vec<(Role, &str)> {
    fn of(sources: &[String], role: fn(usize) -> Role) -> impl Iterator<Item = (Role, &str)> {
        let sources = sources.iter().enumerate();
        sources.map(move |(index, source)| (role(index), source.as_str()))
    }
    of(&sources.maps, Role::Map)
        .chain(of(&sources.reduces, Role::Reduce))
        .chain(of(&sources.functions, Role::Function))
        .collect()
}

/// Puts guards around the built-ins of a realm that could go on for long.
pub(crate) fn guard<'js>(ctx: &Ctx<'js>, clock: &Rc<Clock>) -> Result<(), JsError> {
    let clock = Rc::clone(clock);
    let spend = Function::new(ctx.clone(), move |ctx: Ctx<'js>, units: f64| {
        clock.spend(units).map_err(|refused| match refused {
            Refused::TimeIsUp => Exception::throw_internal(&ctx, "interrupted"),
            Refused::TooMuch => Exception::throw_range(&ctx, "this would take too long at once"),
        })
    })?;
    ctx.eval::<Function, _>(GUARDS)?.call((spend,))
}

pub(crate) fn set_up_host(ctx: &Ctx<'_>, sources: &Sources) -> Result<Persistent<Object<'static>>, Error> {
    let prelude: Object = ctx.eval(HOST).map_err(not_started)?;
    if let Some(modules) = &sources.modules {
        let tree = ctx
            .json_parse(modules.as_str())
            .map_err(|error| Error::Modules(thrown_text(ctx, &prelude, &error)))?;
        let set: Function = prelude.get("setModules").map_err(not_started)?;
        set.call::<_, ()>((tree,)).map_err(not_started)?;
    }
    let maps = &sources.maps;
    if maps.iter().all(|source| harmless::leaves_documents_alone(source)) {
        let spare: Function = prelude.get("spareFreezing").map_err(not_started)?;
        spare.call::<_, ()>(()).map_err(not_started)?;
    }
    Ok(Persistent::save(ctx, prelude))
}

pub(crate) fn set_up_guest<'js>(
    ctx: &Ctx<'js>,
    prelude: &Object<'js>,
    log: &Rc<RefCell<Log>>,
    role: Role,
) -> Result<(), JsError> {
    let log = Rc::clone(log);
    let write = Function::new(ctx.clone(), move |line: String| log.borrow_mut().push(line))?;
    let log: Value = prelude.get::<_, Function>("logInto")?.call((write,))?;
    let emit: Value = prelude.get("emit")?;
    let modules: Value = match role {
        Role::Reduce(_) => Value::new_undefined(ctx.clone()),
        Role::Map(_) | Role::Function(_) => prelude.get::<_, Function>("modules")?.call(())?,
    };
    ctx.eval::<Function, _>(GUEST)?.call((emit, log, modules))
}

/// Evaluates a source in its realm and hands the function to the host.
pub(crate) fn compile<'js>(
    ctx: &Ctx<'js>,
    prelude: &Object<'js>,
    role: Role,
    source: &str,
) -> Result<(), Error> {
    let refused = |message: String| Error::Compile { role, message };
    let evaluate = |text: String| {
        let mut options = EvalOptions::default();
        options.strict = false;
        options.filename = Some(role.to_string());
        ctx.eval_with_options::<Value, _>(text, options)
    };
    // After a comma a function needs no name, and may be followed by semicolons and comments, which it may not in
    // parentheses. A source of several statements is tried as it is: the last one's value counts.
    let compiled = match evaluate(format!("void 0,{source}\n")) {
        Ok(compiled) => compiled,
        Err(error) => {
            let message = thrown_text(ctx, prelude, &error);
            match evaluate(format!("{source}\n")) {
                Ok(compiled) => compiled,
                Err(error) => {
                    let _ = thrown_text(ctx, prelude, &error);
                    return Err(refused(message));
                }
            }
        }
    };
    let is_plain: Function = prelude.get("isPlainFunction").map_err(not_started)?;
    if !is_plain.call::<_, bool>((&compiled,)).map_err(not_started)? {
        return Err(refused(
            "the source gives no function, or one that is async or a generator".into(),
        ));
    }
    let add = match role {
        Role::Map(_) => "addMap",
        Role::Reduce(_) => "addReduce",
        Role::Function(_) => "addFunction",
    };
    let add: Function = prelude.get(add).map_err(not_started)?;
    add.call((compiled,)).map_err(not_started)
}

/// The text of what was thrown, which is thereby caught.
fn thrown_text<'js>(ctx: &Ctx<'js>, prelude: &Object<'js>, error: &JsError) -> String {
    let JsError::Exception = error else {
        return error.to_string();
    };
    let thrown = ctx.catch();
    let message = prelude.get::<_, Function>("message");
    let message = message.and_then(|message| message.call::<_, String>((thrown,)));
    message.unwrap_or_else(|_| "it took too long or too much memory".into())
}
