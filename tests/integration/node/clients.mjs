// SPDX-License-Identifier: Apache-2.0
// AWS's JavaScript SDK and Encryption SDK against the front end. Arguments: endpoint, directory for files, size in MiB of the envelope's.
import assert from 'node:assert/strict'
import { createHash, randomBytes, createPublicKey, verify as verifySignature, generateKeyPairSync, diffieHellman } from 'node:crypto'
import { createReadStream, createWriteStream, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import * as kms from '@aws-sdk/client-kms'
import { KmsKeyringNode, buildClient, CommitmentPolicy } from '@aws-crypto/client-node'

const [endpoint, dir, mebibytes] = process.argv.slice(2)
const options = { endpoint, region: 'us-east-1', maxAttempts: 1 }
const client = new kms.KMSClient(options)
const call = (name, input = {}) => client.send(new kms[`${name}Command`](input))
const refused = (name, input, error) => assert.rejects(call(name, input), (e) => {
  assert.equal(e.name, error, `${name}: ${e.name}: ${e.message}`)
  return true
})
const step = (text) => console.log(`  ${text}`)

step('a symmetric key: encrypt, decrypt, data keys, re-encrypt')
const { KeyMetadata: key } = await call('CreateKey', { Description: 'by the JavaScript SDK', Tags: [{ TagKey: 'team', TagValue: 'blue' }] })
assert.match(key.Arn, /^arn:aws:kms:us-east-1:\d{12}:key\/[0-9a-f-]{36}$/)
const KeyId = key.KeyId
const EncryptionContext = { team: 'blue', purpose: 'test' }
const plain = randomBytes(4096)
const sealed = await call('Encrypt', { KeyId, Plaintext: plain, EncryptionContext })
const opened = await call('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { purpose: 'test', team: 'blue' } })
assert.deepEqual(Buffer.from(opened.Plaintext), plain)
await refused('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: { team: 'red', purpose: 'test' } }, 'InvalidCiphertextException')
await refused('Encrypt', { KeyId, Plaintext: randomBytes(4097) }, 'ValidationException')
const { KeyMetadata: other } = await call('CreateKey', {})
const moved = await call('ReEncrypt', { CiphertextBlob: sealed.CiphertextBlob, SourceEncryptionContext: EncryptionContext, DestinationKeyId: other.KeyId })
assert.deepEqual(Buffer.from((await call('Decrypt', { CiphertextBlob: moved.CiphertextBlob, KeyId: other.KeyId })).Plaintext), plain)
await refused('Decrypt', { CiphertextBlob: moved.CiphertextBlob, KeyId }, 'IncorrectKeyException')
const data = await call('GenerateDataKey', { KeyId, KeySpec: 'AES_256', EncryptionContext })
assert.deepEqual((await call('Decrypt', { CiphertextBlob: data.CiphertextBlob, EncryptionContext })).Plaintext, data.Plaintext)
await refused('Encrypt', { KeyId, Plaintext: plain, DryRun: true }, 'DryRunOperationException')

step('rotation on demand: what was encrypted before opens after')
const before = (await call('DescribeKey', { KeyId })).KeyMetadata.CurrentKeyMaterialId
await call('RotateKeyOnDemand', { KeyId })
const turned = async () => (await call('DescribeKey', { KeyId })).KeyMetadata.CurrentKeyMaterialId !== before
for (let i = 0; i < 50 && !(await turned()); i++) await new Promise((done) => setTimeout(done, 100))
assert.ok(await turned())
assert.equal((await call('ListKeyRotations', { KeyId })).Rotations.length, 1)
assert.deepEqual(Buffer.from((await call('Decrypt', { CiphertextBlob: sealed.CiphertextBlob, EncryptionContext })).Plaintext), plain)
await call('EnableKeyRotation', { KeyId, RotationPeriodInDays: 90 })
assert.equal((await call('GetKeyRotationStatus', { KeyId })).RotationPeriodInDays, 90)

step('signatures, checked by this program')
const message = Buffer.from('a message')
for (const [KeySpec, SigningAlgorithm, hash] of [['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'], ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256'], ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'], ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', null]]) {
  const { KeyMetadata: signer } = await call('CreateKey', { KeySpec, KeyUsage: 'SIGN_VERIFY' })
  const { Signature } = await call('Sign', { KeyId: signer.KeyId, Message: message, SigningAlgorithm, MessageType: 'RAW' })
  const { PublicKey } = await call('GetPublicKey', { KeyId: signer.KeyId })
  const publicKey = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' })
  assert.ok(verifySignature(hash, message, publicKey, Signature), KeySpec)
  assert.ok((await call('Verify', { KeyId: signer.KeyId, Message: message, Signature, SigningAlgorithm })).SignatureValid)
  Signature[Signature.length - 1] ^= 1
  await refused('Verify', { KeyId: signer.KeyId, Message: message, Signature, SigningAlgorithm }, 'KMSInvalidSignatureException')
}

step('key agreement, the other half by this program')
const { KeyMetadata: agreement } = await call('CreateKey', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' })
const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const theirs = createPublicKey({ key: Buffer.from((await call('GetPublicKey', { KeyId: agreement.KeyId })).PublicKey), format: 'der', type: 'spki' })
const { SharedSecret } = await call('DeriveSharedSecret', { KeyId: agreement.KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey: mine.publicKey.export({ format: 'der', type: 'spki' }) })
assert.deepEqual(Buffer.from(SharedSecret), diffieHellman({ privateKey: mine.privateKey, publicKey: theirs }))

step('errors are AWS\'s own')
await refused('DescribeKey', { KeyId: '11111111-2222-3333-4444-555555555555' }, 'NotFoundException')
await refused('CreateKey', { KeySpec: 'NO_SUCH_SPEC' }, 'ValidationException')
await refused('Decrypt', { CiphertextBlob: randomBytes(80) }, 'InvalidCiphertextException')
const strangers = new kms.KMSClient({ ...options, credentials: { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x'.repeat(40) } })
await assert.rejects(strangers.send(new kms.ListKeysCommand({})), { name: 'UnrecognizedClientException' })

step(`the Encryption SDK: an envelope over ${mebibytes} MiB`)
const { encryptStream, decryptStream } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
const clientProvider = () => new kms.KMS(options)
const keyring = new KmsKeyringNode({ generatorKeyId: key.Arn, keyIds: [other.Arn], clientProvider })
const hash = createHash('sha256')
const source = createWriteStream(`${dir}/plain`)
for (let i = 0; i < Number(mebibytes); i++) {
  const block = randomBytes(1024 * 1024)
  hash.update(block)
  if (!source.write(block)) await new Promise((done) => source.once('drain', done))
}
await new Promise((done) => source.end(done))
await pipeline(createReadStream(`${dir}/plain`), encryptStream(keyring, { encryptionContext: EncryptionContext }), createWriteStream(`${dir}/sealed`))
const back = createHash('sha256')
const either = new KmsKeyringNode({ keyIds: [other.Arn], clientProvider })
await pipeline(createReadStream(`${dir}/sealed`), decryptStream(either), back)
assert.equal(back.digest('hex'), hash.digest('hex'))
writeFileSync(`${dir}/done`, 'yes\n')
