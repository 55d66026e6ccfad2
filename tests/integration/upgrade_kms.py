# SPDX-License-Identifier: Apache-2.0
# A KMS as a release leaves it behind, and what a later one must find: upgrade_kms.py make|check|use FACTS, with AWS's settings of
# the account's administrator in the environment. After `check`, which changes something, only `use`.
import json, os, subprocess, sys, tempfile, time, urllib.request
import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError

CONTEXT = {"purpose": "upgrade"}
TEXT = b"kept over the upgrade"
USER = "dora"


def client(service, **credentials):
    return boto3.client(service, endpoint_url=os.environ["QHSM_KMS_ENDPOINT"], region_name="us-east-1",
                        config=Config(read_timeout=120, retries={"total_max_attempts": 1}), **credentials)


def call(operation, **members):
    """What Debian 12's boto3 has no words for."""
    url = os.environ["QHSM_KMS_ENDPOINT"] + "/"
    body = json.dumps(members).encode()
    request = AWSRequest("POST", url, data=body, headers={"X-Amz-Target": "TrentService." + operation,
                                                          "Content-Type": "application/x-amz-json-1.1"})
    SigV4Auth(boto3.Session().get_credentials(), "kms", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(request.headers.items()))) as answer:
        return json.loads(answer.read() or b"{}")


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    sys.exit(f"{call.__name__} works, but should not")


def encrypt(kms, key):
    return kms.encrypt(KeyId=key, Plaintext=TEXT, EncryptionContext=CONTEXT)["CiphertextBlob"].hex()


def opens(kms, blob):
    return kms.decrypt(CiphertextBlob=bytes.fromhex(blob), EncryptionContext=CONTEXT)["Plaintext"] == TEXT


def same(what, before, now):
    if before != now:
        sys.exit(f"{what}: {before} before, {now} now")


# ---- what is there to be seen

def described(kms, key):
    told = kms.describe_key(KeyId=key)["KeyMetadata"]
    return {name: str(value) if name.endswith("Date") else value for name, value in told.items()}


def seen(kms, iam, facts):
    """Of all that does not depend on the day: what stays the same as long as nobody changes it."""
    keys = facts["keys"]
    grants = kms.list_grants(KeyId=keys["plain"])["Grants"]
    return {
        "metadata": {name: described(kms, key) for name, key in keys.items() if name != "leaving"},
        "aliases": sorted((a["AliasName"], a.get("TargetKeyId")) for a in kms.list_aliases()["Aliases"]),
        "tags": kms.list_resource_tags(KeyId=keys["plain"])["Tags"],
        "policy": json.loads(kms.get_key_policy(KeyId=keys["rsa"], PolicyName="default")["Policy"]),
        "grants": [(g["GrantId"], g["Name"], sorted(g["Operations"]), g["Constraints"]) for g in grants],
        "rotations": [r["RotationType"] for r in call("ListKeyRotations", KeyId=keys["plain"])["Rotations"]],
        "rotation": call("GetKeyRotationStatus", KeyId=keys["plain"])["RotationPeriodInDays"],
        "public": {name: kms.get_public_key(KeyId=keys[name])["PublicKey"].hex() for name in ("rsa", "ecc")},
        "stores": [(s["CustomKeyStoreId"], s["CustomKeyStoreName"], s["CloudHsmClusterId"], s["ConnectionState"])
                   for s in kms.describe_custom_key_stores()["CustomKeyStores"]],
        "users": [(u["UserName"], u["Arn"]) for u in iam.list_users()["Users"]],
        "user's policy": iam.get_user_policy(UserName=USER, PolicyName="encrypts")["PolicyDocument"],
    }


# ---- made once

def import_material(kms, key):
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "public")
        with open(path, "wb") as file:
            file.write(parameters["PublicKey"])
        wrapped = subprocess.run(
            ["openssl", "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path, "-pkeyopt", "rsa_padding_mode:oaep",
             "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"],
            input=bytes(range(32)), stdout=subprocess.PIPE, check=True).stdout
    kms.import_key_material(KeyId=key, ImportToken=parameters["ImportToken"], EncryptedKeyMaterial=wrapped,
                            ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")


def make(kms, iam, anchor, password, cluster):
    kinds = {"plain": {}, "rsa": {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
             "ecc": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
             "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}, "imported": {"Origin": "EXTERNAL"},
             "primary": {"MultiRegion": True}, "disabled": {}, "leaving": {}}
    keys = {name: kms.create_key(Description=name, **options)["KeyMetadata"]["KeyId"] for name, options in kinds.items()}
    plain = keys["plain"]
    kms.create_alias(AliasName="alias/plain", TargetKeyId=plain)
    kms.tag_resource(KeyId=plain, Tags=[{"TagKey": "team", "TagValue": "payments"}])
    call("EnableKeyRotation", KeyId=plain, RotationPeriodInDays=2560)
    blobs = {"first material": encrypt(kms, plain)}
    call("RotateKeyOnDemand", KeyId=plain)
    while not call("ListKeyRotations", KeyId=plain)["Rotations"]:
        time.sleep(0.1)
    blobs["second material"] = encrypt(kms, plain)
    import_material(kms, keys["imported"])
    blobs["imported"] = encrypt(kms, keys["imported"])
    blobs["disabled"] = encrypt(kms, keys["disabled"])
    kms.disable_key(KeyId=keys["disabled"])
    kms.schedule_key_deletion(KeyId=keys["leaving"], PendingWindowInDays=30)
    user = iam.create_user(UserName=USER)["User"]["Arn"]
    access = iam.create_access_key(UserName=USER)["AccessKey"]
    iam.put_user_policy(UserName=USER, PolicyName="encrypts", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}]}))
    kms.create_grant(KeyId=plain, GranteePrincipal=user, Operations=["Decrypt"], Name="opens",
                     Constraints={"EncryptionContextSubset": CONTEXT})
    kms.create_custom_key_store(CustomKeyStoreName="store", TrustAnchorCertificate=anchor, KeyStorePassword=password,
                                CloudHsmClusterId=cluster)
    facts = {"keys": keys, "blobs": blobs, "access": [access["AccessKeyId"], access["SecretAccessKey"]]}
    facts["rsa"] = kms.sign(KeyId=keys["rsa"], Message=TEXT, SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")["Signature"].hex()
    facts["ecc"] = kms.sign(KeyId=keys["ecc"], Message=TEXT, SigningAlgorithm="ECDSA_SHA_256")["Signature"].hex()
    facts["mac"] = kms.generate_mac(KeyId=keys["mac"], Message=TEXT, MacAlgorithm="HMAC_SHA_256")["Mac"].hex()
    facts["seen"] = seen(kms, iam, facts)
    return facts


# ---- checked ever after

def check_keys(kms, facts):
    keys = facts["keys"]
    for name in ("first material", "second material", "imported"):
        same(name, True, opens(kms, facts["blobs"][name]))
    same("disabled", "DisabledException", refused(kms.decrypt, CiphertextBlob=bytes.fromhex(facts["blobs"]["disabled"]),
                                                 EncryptionContext=CONTEXT))
    same("another context", "InvalidCiphertextException",
         refused(kms.decrypt, CiphertextBlob=bytes.fromhex(facts["blobs"]["imported"]), EncryptionContext={"purpose": "other"}))
    same("RSA signature", facts["rsa"],
         kms.sign(KeyId=keys["rsa"], Message=TEXT, SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")["Signature"].hex())
    same("ECDSA signature", True, kms.verify(KeyId=keys["ecc"], Message=TEXT, Signature=bytes.fromhex(facts["ecc"]),
                                             SigningAlgorithm="ECDSA_SHA_256")["SignatureValid"])
    same("MAC", facts["mac"], kms.generate_mac(KeyId=keys["mac"], Message=TEXT, MacAlgorithm="HMAC_SHA_256")["Mac"].hex())
    # A month later it is gone, as it was told to be.
    try:
        same("a key that is to go", "PendingDeletion", described(kms, keys["leaving"])["KeyState"])
    except ClientError as error:
        same("a key that went", "NotFoundException", error.response["Error"]["Code"])


def check_rights(facts):
    identity, secret = facts["access"]
    user = client("kms", aws_access_key_id=identity, aws_secret_access_key=secret)
    encrypt(user, facts["keys"]["imported"])
    same("by the grant", True, opens(user, facts["blobs"]["second material"]))
    same("beyond the grant", "AccessDeniedException",
         refused(user.decrypt, CiphertextBlob=bytes.fromhex(facts["blobs"]["imported"]), EncryptionContext=CONTEXT))
    same("no right", "AccessDeniedException", refused(user.describe_key, KeyId=facts["keys"]["plain"]))


def check_changes(kms, facts):
    key = kms.create_key(Description="of this release")["KeyMetadata"]["KeyId"]
    same("a new key", True, opens(kms, encrypt(kms, key)))
    kms.enable_key(KeyId=facts["keys"]["disabled"])
    same("a key that is enabled", True, opens(kms, facts["blobs"]["disabled"]))
    kms.disable_key(KeyId=facts["keys"]["disabled"])
    call("RotateKeyOnDemand", KeyId=facts["keys"]["plain"])
    same("after a rotation", True, opens(kms, facts["blobs"]["first material"]))


def main():
    verb, path = sys.argv[1:3]
    kms, iam = client("kms"), client("iam")
    if verb == "make":
        anchor, password, cluster = sys.argv[3:]
        with open(anchor) as file:
            facts = make(kms, iam, file.read(), password, cluster)
        with open(path, "w") as file:
            json.dump(facts, file, indent=1, sort_keys=True)
        return
    with open(path) as file:
        facts = json.load(file)
    if verb == "check":
        now = json.loads(json.dumps(seen(kms, iam, facts)))
        for what, before in facts["seen"].items():
            same(what, before, now[what])
    check_keys(kms, facts)
    check_rights(facts)
    if verb == "check":
        check_changes(kms, facts)


main()
