// The realm of documents and rows. No function of a design document is compiled in it, and all that they reach of it
// through a document is frozen: what they do to built-ins, they do to their own.
(function () {
  'use strict';
  const {freeze, getOwnPropertyNames, keys} = Object;
  const {stringify} = JSON;
  const describe = Object.prototype.toString;
  const apply = Reflect.apply;
  const isArray = Array.isArray;

  const maps = [];
  const apart = [];
  const reduces = [];
  const functions = [];
  let modules;
  let freezing = true;
  let rows = [];

  function emit(key, value) {
    rows[rows.length] = [key === undefined ? null : key, value === undefined ? null : value];
  }

  function freezeDeeply(value) {
    if (isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        if (typeof value[i] === 'object' && value[i] !== null) freezeDeeply(value[i]);
      }
    } else {
      const names = keys(value);
      for (let i = 0; i < names.length; i++) {
        const member = value[names[i]];
        if (typeof member === 'object' && member !== null) freezeDeeply(member);
      }
    }
    freeze(value);
  }

  // One line: no answer is told apart from the next by anything but its end.
  function message(thrown) {
    let text;
    try {
      text = `${thrown}`;
    } catch {
      text = 'a value that has no text was thrown';
    }
    return text.toWellFormed().replaceAll('\n', ' ');
  }

  function failure(thrown) {
    let value;
    try {
      if (apply(describe, thrown, []) !== '[object Error]') value = stringify(thrown);
    } catch {
      // It has its message.
    }
    return '!' + message(thrown) + '\n' + (value === undefined ? '' : value);
  }

  function mapOne(map, doc) {
    const own = rows = [];
    try {
      map(doc);
      if (own.length === 0) return '[]';
      // What is emitted while rows are written is too late.
      rows = [];
      return stringify(own);
    } catch (thrown) {
      return '!' + message(thrown);
    }
  }

  // `only` is the index of the one map to call, or -1 for all but those set apart.
  function map(doc, only) {
    if (freezing && typeof doc === 'object' && doc !== null) freezeDeeply(doc);
    if (only >= 0) return mapOne(maps[only], doc);
    let lines = '';
    for (let i = 0; i < maps.length; i++) {
      const line = apart[i] ? '' : mapOne(maps[i], doc);
      lines = i === 0 ? line : lines + '\n' + line;
    }
    return lines;
  }

  function answer(called, self, args) {
    try {
      const result = stringify(apply(called, self, args));
      return result === undefined ? 'null' : result;
    } catch (thrown) {
      return failure(thrown);
    }
  }

  // One line for each reduction, in which there is no more than its value or what was thrown as text.
  function reduceEach(list, index) {
    const reduce = reduces[index];
    let lines = '';
    for (let i = 0; i < list.length; i++) {
      let line;
      try {
        line = stringify(apply(reduce, undefined, list[i])) ?? 'null';
      } catch (thrown) {
        line = '!' + message(thrown);
      }
      lines = i === 0 ? line : lines + '\n' + line;
    }
    return lines;
  }

  function filter(args, index) {
    const docs = args[0];
    let passed = '';
    try {
      for (let i = 0; i < docs.length; i++) {
        passed += apply(functions[index], modules, [docs[i], args[1]]) ? '1' : '0';
      }
    } catch (thrown) {
      return failure(thrown);
    }
    return passed;
  }

  function isPlainFunction(value) {
    return typeof value === 'function' && apply(describe, value, []) === '[object Function]';
  }

  const names = getOwnPropertyNames(globalThis);
  for (let i = 0; i < names.length; i++) {
    const global = globalThis[names[i]];
    if ((typeof global === 'function' || typeof global === 'object') && global !== globalThis) {
      freeze(global);
      if (global.prototype) freeze(global.prototype);
    }
  }
  freeze(globalThis);

  return {
    emit,
    message,
    map,
    filter,
    reduceEach,
    isPlainFunction,
    logInto: (write) => (value) => {
      write((typeof value === 'string' ? value : stringify(value) ?? `${value}`).toWellFormed());
    },
    reduce: (args, index) => answer(reduces[index], undefined, args),
    call: (args, index) => answer(functions[index], modules, args),
    // No map writes: whether they may cannot be told.
    spareFreezing() {
      freezing = false;
    },
    modules: () => modules,
    setModules(tree) {
      if (typeof tree === 'object' && tree !== null) freezeDeeply(tree);
      modules = tree;
    },
    setApart(_, index) {
      apart[index] = true;
      return '';
    },
    addMap(compiled) {
      maps[maps.length] = compiled;
      apart[apart.length] = false;
    },
    addReduce(compiled) {
      reduces[reduces.length] = compiled;
    },
    addFunction(compiled) {
      functions[functions.length] = compiled;
    },
  };
})()
