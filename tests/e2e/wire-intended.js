'use strict';
// Where our answer differs from the official server's on purpose: name of the script, why, and our transcript.

module.exports = {};
