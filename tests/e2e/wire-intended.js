'use strict';
// Where our answers differ from the official server's on purpose, and what the fixture cannot do yet.

// Features of the public API that scripts need (`needs` in the scripts) and that are not there yet.
const missing = {
  'server acks': 'our API has no acks asked for by the server yet',
  'engine close': 'our API cannot close the transport alone',
};

// Name of the script: why, and our transcript.
const intended = {};

module.exports = { intended, missing };
