'use strict';
const { collect } = require('./raw');
const { script, scripts } = collect();
module.exports = scripts;
