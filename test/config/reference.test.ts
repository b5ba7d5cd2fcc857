// The table of options against itself, against what is made from it, and against strongSwan's own list of names.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OPTIONS } from '../../src/config/options.ts';
import { sampleSwanctl, takesEffect } from '../../src/config/reference.ts';
import { canonical } from '../../src/config/schema.ts';
import { loadSwanctl } from '../../src/config/swanctl.ts';

const SAMPLE = fileURLToPath(new URL('../../../conf/samples/swanctl.conf', import.meta.url));

// Names of swanctl.conf(5) of strongSwan 5.9.8, and those that 6.0's swanctl.opt has besides (ocsp, per_cpu_sas).
const CONN = `version local_addrs remote_addrs local_port remote_port proposals vips aggressive pull dscp encap mobike
  dpd_delay dpd_timeout fragmentation childless send_certreq send_cert ppk_id ppk_required keyingtries unique
  reauth_time rekey_time over_time rand_time pools if_id_in if_id_out mediation mediated_by mediation_peer ocsp`;
const LOCAL = `round certs cert<suffix> cert<suffix>.file cert<suffix>.handle cert<suffix>.slot cert<suffix>.module pubkeys
  auth id eap_id aaa_id xauth_id`;
const REMOTE = `round id eap_id groups cert_policy certs cert<suffix> cert<suffix>.file cert<suffix>.handle
  cert<suffix>.slot cert<suffix>.module cacerts cacert<suffix> cacert<suffix>.file cacert<suffix>.handle
  cacert<suffix>.slot cacert<suffix>.module ca_id pubkeys revocation auth`;
const CHILD = `ah_proposals esp_proposals sha256_96 local_ts remote_ts rekey_time life_time rand_time rekey_bytes
  life_bytes rand_bytes rekey_packets life_packets rand_packets updown hostaccess mode policies policies_fwd_out
  dpd_action ipcomp inactivity reqid priority interface mark_in mark_in_sa mark_out set_mark_in set_mark_out if_id_in
  if_id_out label label_mode tfc_padding replay_window hw_offload copy_df copy_ecn copy_dscp start_action close_action
  per_cpu_sas`;
const SECRETS = `eap<suffix> eap<suffix>.secret eap<suffix>.id<suffix> xauth<suffix> ntlm<suffix> ntlm<suffix>.secret
  ntlm<suffix>.id<suffix> ike<suffix> ike<suffix>.secret ike<suffix>.id<suffix> ppk<suffix> ppk<suffix>.secret
  ppk<suffix>.id<suffix> private<suffix> private<suffix>.file private<suffix>.secret rsa<suffix> rsa<suffix>.file
  rsa<suffix>.secret ecdsa<suffix> ecdsa<suffix>.file ecdsa<suffix>.secret pkcs8<suffix> pkcs8<suffix>.file
  pkcs8<suffix>.secret pkcs12<suffix> pkcs12<suffix>.file pkcs12<suffix>.secret token<suffix> token<suffix>.handle
  token<suffix>.slot token<suffix>.module token<suffix>.pin`;
const AUTHORITY = 'cacert file handle slot module crl_uris ocsp_uris cert_uri_base';

test('every option of strongSwan is in the table', () => {
  const known = new Set(OPTIONS.map(({ path }) => path));
  const below = (parent: string, names: string) => names.split(/\s+/).map((name) => `${parent}.${name}`);
  const all = [
    ...below('connections.<conn>', CONN),
    ...below('connections.<conn>.local<suffix>', LOCAL),
    ...below('connections.<conn>.remote<suffix>', REMOTE),
    ...below('connections.<conn>.children.<child>', CHILD),
    ...below('secrets', SECRETS),
    ...below('pools', '<name> <name>.addrs <name>.<attr>'),
    ...below('authorities.<name>', AUTHORITY),
  ];
  assert.deepEqual(
    all.filter((path) => !known.has(path)),
    [],
  );
});

test('no option is described twice, and every default is a value of its type', () => {
  const paths = OPTIONS.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  for (const { path, type, default: standard, extra, status, reason, text } of OPTIONS) {
    if (standard !== '') assert.ok(canonical(type, standard).ok, path);
    if (extra.example !== undefined) assert.ok(canonical(type, extra.example).ok, path);
    assert.ok(!(standard !== '' && extra.computed !== undefined), path);
    assert.equal(reason === '', status === 'implemented', path);
    assert.match(text, /\.\)?$/, path);
  }
});

test('the sample file is what the table makes', () => {
  assert.equal(
    readFileSync(SAMPLE, 'utf8'),
    sampleSwanctl(),
    'run: npm run format, or write sampleSwanctl() to the file',
  );
});

test('the sample file loads, and has no connection', () => {
  const { connections, secrets, warnings } = loadSwanctl([{ path: 'swanctl.conf', text: sampleSwanctl() }]);
  assert.deepEqual([connections, secrets, warnings], [[], [], []]);
});

test('the sample file loads with all its settings switched on', () => {
  const text = sampleSwanctl()
    .replace(/^( *)# ((\S+ = ?.*)|(\S+ \{)|\})$/gm, '$1$2')
    .replace('secret =', 'secret = "only a test"');
  const { connections, secrets, warnings } = loadSwanctl([{ path: 'swanctl.conf', text }]);
  assert.deepEqual(warnings, []);
  assert.equal(connections[0]?.children[0]?.startAction, 'start');
  assert.equal(connections[0]?.dpdDelay, 30_000);
  assert.equal(secrets[0]?.owners.length, 1);
});

test('what takes effect when is published as it is, and leaves no option out', () => {
  const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
  assert.ok(readme.includes(takesEffect()), 'the table of the README');
  const told = new Set([...takesEffect().matchAll(/`([^`]+)`/g)].map(([, option]) => option));
  const place = /^connections\.<conn>\.(children\.<child>\.)?/;
  const options = OPTIONS.filter(({ status, type }) => status === 'implemented' && type.kind !== 'section')
    .map(({ path }) => path)
    .filter((path) => place.test(path))
    .map((path) =>
      path
        .replace(place, '')
        .replace('<suffix>', '')
        .replace(/^retransmit\..*/, 'retransmit'),
    );
  assert.deepEqual(
    options.filter((option) => !told.has(option)),
    [],
  );
});
