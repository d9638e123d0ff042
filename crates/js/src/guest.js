// What a function of a design document finds around it. Evaluated once in the realm of each function, which is its own:
// whatever it assigns or breaks stays there.
(function (emit, log, modules) {
  'use strict';
  const evaluate = eval;
  const {stringify} = JSON;
  const {isArray} = Array;
  const cache = new Map();

  // Nothing by which a function could tell when memory is collected.
  for (const name of ['WeakRef', 'FinalizationRegistry', 'performance', 'WebAssembly']) delete globalThis[name];

  function sum(values) {
    let total = 0;
    if (!isArray(values)) {
      for (const i in values) total += values[i];
      return total;
    }
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== undefined || i in values) total += values[i];
    }
    return total;
  }

  // `folder` is where the module that asks stands: names of steps from the root.
  function path(name, folder) {
    const steps = `${name}`.split('/');
    const found = steps[0] === '.' || steps[0] === '..' ? [...folder] : [];
    for (const step of steps) {
      if (step === '..') {
        if (found.length === 0) throw new Error(`require('${name}'): there is nothing above the root`);
        found.pop();
      } else if (step !== '.' && step !== '') {
        found.push(step);
      }
    }
    return found;
  }

  function load(name, folder) {
    const steps = path(name, folder);
    const id = steps.join('/');
    if (cache.has(id)) return cache.get(id).exports;
    let source = modules;
    for (const step of steps) {
      source = source !== null && typeof source === 'object' && Object.hasOwn(source, step) ? source[step] : undefined;
    }
    if (typeof source !== 'string') throw new Error(`require('${name}'): there is no module ${id}`);
    const module = {id, exports: {}};
    // Before it is run: a module that is required in a circle is seen as far as it got.
    cache.set(id, module);
    try {
      const define = evaluate(`(function (module, exports, require) {${source}\n})`);
      define.call(globalThis, module, module.exports, (other) => load(other, steps.slice(0, -1)));
    } catch (thrown) {
      cache.delete(id);
      throw thrown;
    }
    return module.exports;
  }

  const environment = {
    emit,
    log,
    sum,
    isArray: (value) => isArray(value),
    toJSON: (value) => stringify(value),
  };
  if (modules !== undefined) environment.require = (name) => load(name, []);
  for (const name of Object.keys(environment)) {
    Object.defineProperty(globalThis, name, {
      value: environment[name],
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
})
