#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Principals as the AWS CLI and boto3 manage them: users with keys and policies, roles and sessions, groups, boundaries; what each may
# then do with a KMS key; and the trail of it all, looked up and checked.
. "$(dirname "$0")/lib.sh"
need aws python3 openssl
start_cluster
start_kms
start_aws
at() { aws --endpoint-url "$QHSM_KMS_ENDPOINT" --output json "$@"; }
as() { # access key, secret, session token or "", command...
    (
        export AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2 AWS_SESSION_TOKEN=$3
        [ -n "$3" ] || unset AWS_SESSION_TOKEN
        shift 3
        at "$@"
    )
}
as_alice() { as "$alice_key" "$alice_secret" "" "$@"; }
as_reader() { as "$reader_key" "$reader_secret" "$reader_token" "$@"; }

step "who am I"
account=$(at sts get-caller-identity | json 'd["Account"]')
[ "$(at sts get-caller-identity | json 'd["Arn"]')" = "arn:aws:iam::$account:root" ]
must_fail 'InvalidClientTokenId' as AKIAAAAAAAAAAAAAAAAA x "" sts get-caller-identity
must_fail 'SignatureDoesNotMatch' as "$AWS_ACCESS_KEY_ID" wrong "" sts get-caller-identity

step "a user with an access key and no right"
at iam create-user --user-name alice --path /team/ --tags Key=team,Value=blue >"$work/user"
[ "$(json 'd["User"]["Arn"]' <"$work/user")" = "arn:aws:iam::$account:user/team/alice" ]
at iam create-access-key --user-name alice >"$work/key"
alice_key=$(json 'd["AccessKey"]["AccessKeyId"]' <"$work/key")
alice_secret=$(json 'd["AccessKey"]["SecretAccessKey"]' <"$work/key")
as_alice sts get-caller-identity | grep -q 'user/team/alice'
must_fail 'AccessDenied.*is not authorized to perform: iam:ListUsers' as_alice iam list-users
must_fail 'AccessDeniedException.*is not authorized to perform: kms:ListKeys' as_alice kms list-keys

step "inline and managed policies let her list, encrypt and no more"
key=$(at kms create-key | json 'd["KeyMetadata"]["Arn"]')
at iam put-user-policy --user-name alice --policy-name use --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}]}'
at iam attach-user-policy --user-name alice --policy-arn arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser
[ "$(as_alice kms list-keys | json 'len(d["Keys"])')" = 1 ]
as_alice kms encrypt --key-id "$key" --plaintext c2VjcmV0 --query CiphertextBlob --output text | base64 -d >"$work/sealed"
must_fail 'AccessDeniedException.*kms:Decrypt' as_alice kms decrypt --ciphertext-blob "fileb://$work/sealed"
[ "$(at iam get-user-policy --user-name alice --policy-name use | json 'd["PolicyDocument"]["Statement"][0]["Action"]')" = kms:Encrypt ]
[ "$(at iam list-attached-user-policies --user-name alice | json 'd["AttachedPolicies"][0]["PolicyName"]')" = AWSKeyManagementServicePowerUser ]

step "a permissions boundary takes away at once"
edge=$(at iam create-policy --policy-name Edge --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:List*","Resource":"*"}]}' | json 'd["Policy"]["Arn"]')
at iam put-user-permissions-boundary --user-name alice --permissions-boundary "$edge"
as_alice kms list-keys >/dev/null
must_fail 'AccessDeniedException.*kms:Encrypt' as_alice kms encrypt --key-id "$key" --plaintext c2VjcmV0
must_fail DeleteConflict at iam delete-policy --policy-arn "$edge"
at iam delete-user-permissions-boundary --user-name alice
as_alice kms encrypt --key-id "$key" --plaintext c2VjcmV0 >/dev/null

step "a group's policy"
at iam create-group --group-name readers >/dev/null
at iam put-group-policy --group-name readers --policy-name open --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}'
at iam add-user-to-group --group-name readers --user-name alice
[ "$(as_alice kms decrypt --ciphertext-blob "fileb://$work/sealed" --query Plaintext --output text)" = c2VjcmV0 ]
[ "$(at iam get-group --group-name readers | json 'd["Users"][0]["UserName"]')" = alice ]
at iam remove-user-from-group --group-name readers --user-name alice
must_fail 'AccessDeniedException.*kms:Decrypt' as_alice kms decrypt --ciphertext-blob "fileb://$work/sealed"

step "a role, assumed with an external id"
at iam create-role --role-name Reader --max-session-duration 7200 --assume-role-policy-document \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$account:user/team/alice\"},
      \"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"sts:ExternalId\":\"e1\"}}}]}" >/dev/null
role=arn:aws:iam::$account:role/Reader
at iam put-role-policy --role-name Reader --policy-name open --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}'
must_fail 'AccessDenied.*sts:AssumeRole' as_alice sts assume-role --role-arn "$role" --role-session-name work
as_alice sts assume-role --role-arn "$role" --role-session-name work --external-id e1 >"$work/session"
take() { json "d[\"Credentials\"][\"$1\"]" <"$work/session"; }
reader_key=$(take AccessKeyId) reader_secret=$(take SecretAccessKey) reader_token=$(take SessionToken)
[ "$(as_reader kms decrypt --ciphertext-blob "fileb://$work/sealed" --query Plaintext --output text)" = c2VjcmV0 ]
as_reader sts get-caller-identity | grep -q 'assumed-role/Reader/work'
must_fail 'UnrecognizedClientException' as "$alice_key" "$alice_secret" "$reader_token" kms list-keys

step "a session policy bounds the session"
as_alice sts assume-role --role-arn "$role" --role-session-name less --external-id e1 --policy \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}]}' >"$work/session"
reader_key=$(take AccessKeyId) reader_secret=$(take SecretAccessKey) reader_token=$(take SessionToken)
as_reader kms list-keys >/dev/null
must_fail 'AccessDeniedException.*session policy' as_reader kms decrypt --ciphertext-blob "fileb://$work/sealed"

step "simulation says the same"
at iam simulate-principal-policy --policy-source-arn "arn:aws:iam::$account:user/team/alice" --action-names kms:Encrypt kms:Decrypt |
    json '[(r["EvalActionName"], r["EvalDecision"]) for r in d["EvaluationResults"]]' >"$work/simulated"
grep -q "('kms:Encrypt', 'allowed'), ('kms:Decrypt', 'implicitDeny')" "$work/simulated"

step "boto3: pages, waiters' calls and clean-up"
boto - "$QHSM_KMS_ENDPOINT" <<'EOF'
import sys, boto3
iam = boto3.client("iam", endpoint_url=sys.argv[1])
for i in range(12):
    iam.create_user(UserName=f"user{i:02}")
names = [u["UserName"] for page in iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 5}) for u in page["Users"]]
assert names == ["alice"] + [f"user{i:02}" for i in range(12)], names
iam.get_waiter("user_exists").wait(UserName="user03")
arn = iam.create_policy(PolicyName="V", PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}')["Policy"]["Arn"]
iam.create_policy_version(PolicyArn=arn, SetAsDefault=True,
                          PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}')
assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v2"
assert iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]["Document"]["Statement"]["Effect"] == "Allow"
assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 2
iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
iam.attach_role_policy(RoleName="Reader", PolicyArn=arn)
assert iam.list_attached_role_policies(RoleName="Reader")["AttachedPolicies"][0]["PolicyArn"] == arn
iam.detach_role_policy(RoleName="Reader", PolicyArn=arn)
iam.delete_policy(PolicyArn=arn)
iam.update_role(RoleName="Reader", Description="a <role> & more", MaxSessionDuration=3600)
role = iam.get_role(RoleName="Reader")["Role"]
assert role["Description"] == "a <role> & more" and role["MaxSessionDuration"] == 3600
assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"
iam.tag_role(RoleName="Reader", Tags=[{"Key": "k", "Value": "v=1&2"}])
assert iam.list_role_tags(RoleName="Reader")["Tags"] == [{"Key": "k", "Value": "v=1&2"}]
iam.untag_role(RoleName="Reader", TagKeys=["k"])
assert iam.list_account_aliases()["AccountAliases"] == []
for i in range(12):
    iam.delete_user(UserName=f"user{i:02}")
try:
    iam.get_user(UserName="user00")
    raise SystemExit("a deleted user is there")
except iam.exceptions.NoSuchEntityException as error:
    assert "The user with name user00 cannot be found." in str(error)
assert iam.get_access_key_last_used(AccessKeyId=iam.list_access_keys(UserName="alice")["AccessKeyMetadata"][0]["AccessKeyId"])["UserName"] == "alice"
EOF

step "a device of codes, and a session that has them where policies ask for them"
now=$(($(date +%s) / 30)) # from one look at the clock: a step may end at any time
otp() { # steps from then
    /usr/bin/python3 - "$work/seed" $((now + $1)) <<'EOF'
import base64, hashlib, hmac, struct, sys
mac = hmac.new(base64.b32decode(open(sys.argv[1]).read()), struct.pack(">Q", int(sys.argv[2])), hashlib.sha1).digest()
at = mac[19] & 15
print("%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000))
EOF
}
phone=arn:aws:iam::$account:mfa/phone
at iam put-user-policy --user-name alice --policy-name careful --policy-document \
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*",
      "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}}]}'
[ "$(at iam create-virtual-mfa-device --virtual-mfa-device-name phone --outfile "$work/seed" --bootstrap-method Base32StringSeed |
    json 'd["VirtualMFADevice"]["SerialNumber"]')" = "$phone" ]
must_fail InvalidAuthenticationCode at iam enable-mfa-device --user-name alice --serial-number "$phone" \
    --authentication-code1 "$(otp 5)" --authentication-code2 "$(otp 4)"
at iam enable-mfa-device --user-name alice --serial-number "$phone" \
    --authentication-code1 "$(otp -1)" --authentication-code2 "$(otp 0)"
code=$(otp 1)
as_alice sts get-session-token --serial-number "$phone" --token-code "$code" >"$work/session"
must_fail 'AccessDenied.*MultiFactorAuthentication failed with invalid MFA one time pass code' \
    as_alice sts get-session-token --serial-number "$phone" --token-code "$code"
mfa_key=$(take AccessKeyId) mfa_secret=$(take SecretAccessKey) mfa_token=$(take SessionToken)
must_fail 'AccessDeniedException.*kms:Decrypt' as_alice kms decrypt --ciphertext-blob "fileb://$work/sealed"
[ "$(as "$mfa_key" "$mfa_secret" "$mfa_token" kms decrypt --ciphertext-blob "fileb://$work/sealed" --query Plaintext --output text)" = c2VjcmV0 ]
as_alice sts get-session-token >"$work/session"
must_fail 'AccessDeniedException.*kms:Decrypt' \
    as "$(take AccessKeyId)" "$(take SecretAccessKey)" "$(take SessionToken)" kms decrypt --ciphertext-blob "fileb://$work/sealed"

step "boto3: a role that wants a code, the lists of devices, a clock that is compared again"
AWS_ACCESS_KEY_ID=$alice_key AWS_SECRET_ACCESS_KEY=$alice_secret boto - "$QHSM_KMS_ENDPOINT" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" <<'EOF'
import base64, hashlib, hmac, json, struct, sys, time, boto3, botocore
at = {"endpoint_url": sys.argv[1]}
iam = boto3.client("iam", aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3], **at)
sts = boto3.client("sts", **at)
alice = sts.get_caller_identity()["Arn"]
device = iam.create_virtual_mfa_device(VirtualMFADeviceName="token")["VirtualMFADevice"]
serial, seed = device["SerialNumber"], base64.b32decode(device["Base32StringSeed"])
now = int(time.time()) // 30
def code(steps):
    mac = hmac.new(seed, struct.pack(">Q", now + steps), hashlib.sha1).digest()
    at = mac[19] & 15
    return "%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 1000000)
def fails(error, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == error, e
        return
    raise SystemExit(f"{error} was expected")
iam.enable_mfa_device(UserName="alice", SerialNumber=serial, AuthenticationCode1=code(-1), AuthenticationCode2=code(0))
trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": alice}, "Action": "sts:AssumeRole",
                                                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}}
role = iam.create_role(RoleName="Careful", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
fails("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="mfa")
session = sts.assume_role(RoleArn=role, RoleSessionName="mfa", SerialNumber=serial, TokenCode=code(1))["Credentials"]
boto3.client("sts", aws_access_key_id=session["AccessKeyId"], aws_secret_access_key=session["SecretAccessKey"],
             aws_session_token=session["SessionToken"], **at).get_caller_identity()
assert [d["SerialNumber"].split("/")[1] for d in iam.list_mfa_devices(UserName="alice")["MFADevices"]] == ["phone", "token"]
devices = [d for page in iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 1}) for d in page["VirtualMFADevices"]]
assert [d["User"]["UserName"] for d in devices] == ["alice", "alice"], devices
fails("DeleteConflict", iam.delete_virtual_mfa_device, SerialNumber=serial)
iam.resync_mfa_device(UserName="alice", SerialNumber=serial, AuthenticationCode1=code(6), AuthenticationCode2=code(7))
sts.get_session_token(SerialNumber=serial, TokenCode=code(8))
iam.deactivate_mfa_device(UserName="alice", SerialNumber=serial)
iam.delete_virtual_mfa_device(SerialNumber=serial)
fails("NoSuchEntity", iam.deactivate_mfa_device, UserName="alice", SerialNumber=serial)
iam.delete_role(RoleName="Careful")
used = iam.get_access_key_last_used(AccessKeyId=boto3.Session().get_credentials().access_key)
assert used["AccessKeyLastUsed"]["ServiceName"] == "sts" and used["AccessKeyLastUsed"]["Region"] == "us-east-1", used
EOF

step "one who is made again under a name is somebody else to policies and grants"
boto - "$QHSM_KMS_ENDPOINT" "$key" <<'EOF'
import json, sys, boto3
at, key = {"endpoint_url": sys.argv[1]}, sys.argv[2]
iam, kms = boto3.client("iam", **at), boto3.client("kms", **at)
def make():
    user = iam.create_user(UserName="eve")["User"]
    credentials = iam.create_access_key(UserName="eve")["AccessKey"]
    return user, credentials["AccessKeyId"], boto3.client("kms", aws_access_key_id=credentials["AccessKeyId"],
                                                          aws_secret_access_key=credentials["SecretAccessKey"], **at)
def refused(call, **arguments):
    try:
        call(**arguments)
    except kms.exceptions.ClientError as e:
        assert e.response["Error"]["Code"] == "AccessDeniedException", e
        return
    raise SystemExit("a right of the former one")
user, access_key, hers = make()
policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": user["Arn"]}, "Action": "kms:DescribeKey", "Resource": "*"})
kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
kms.create_grant(KeyId=key, GranteePrincipal=user["Arn"], Operations=["Encrypt"])
hers.describe_key(KeyId=key)
hers.encrypt(KeyId=key, Plaintext=b"x")
iam.delete_access_key(UserName="eve", AccessKeyId=access_key)
iam.delete_user(UserName="eve")
again, access_key, hers = make()
assert again["Arn"] == user["Arn"] and again["UserId"] != user["UserId"]
refused(hers.describe_key, KeyId=key)
refused(hers.encrypt, KeyId=key, Plaintext=b"x")
assert json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])["Statement"][-1]["Principal"]["AWS"] == user["UserId"]
assert [g["GranteePrincipal"] for g in kms.list_grants(KeyId=key)["Grants"]] == [user["UserId"]]
iam.delete_access_key(UserName="eve", AccessKeyId=access_key)
iam.delete_user(UserName="eve")
EOF

step "the trail tells who did it"
look() { at cloudtrail lookup-events --lookup-attributes "AttributeKey=$1,AttributeValue=$2"; }
look EventName CreateUser | json 'json.loads(d["Events"][-1]["CloudTrailEvent"])["requestParameters"]' | grep -q alice
[ "$(look Username work | json 'd["Events"][0]["EventName"]')" != '' ]
look Username mfa | json 'd["Events"][0]["CloudTrailEvent"]' | grep -q '"mfaAuthenticated":"true"'
look EventName Decrypt | json '[json.loads(e["CloudTrailEvent"])["userIdentity"]["type"] for e in d["Events"]]' | grep -q AssumedRole
look ResourceName "$key" | json 'len(d["Events"])' | grep -qv '^0$'
[ "$(at cloudtrail lookup-events --max-items 7 --page-size 3 | json 'len(d["Events"])')" = 7 ]

step "a session ends with its role, a user with her key"
at iam delete-role-policy --role-name Reader --policy-name open
at iam delete-role --role-name Reader
must_fail 'UnrecognizedClientException' as_reader kms list-keys
at iam update-access-key --user-name alice --access-key-id "$alice_key" --status Inactive
must_fail 'UnrecognizedClientException' as_alice kms list-keys

step "the digests are signed and the trail is whole; then it is changed"
"$QHSM" kms down --dir "$cluster"
trail=$cluster/kms/trail
"$QHSM" kms trail verify --dir "$cluster" >"$work/verified"
grep -q ' 0 faults' "$work/verified"
grep -q 'signed, and follows the one before' "$work/verified"
for word in "$alice_secret" "$reader_secret" "$reader_token" "$(cat "$work/seed")" "$mfa_secret" "$mfa_token"; do
    if grep -rFqs -- "$word" "$trail" "$cluster"/kms/*.log; then fail "a secret is in log or trail"; fi
done
sed -i '0,/CreateUser/s//createuser/' "$(grep -rl '"CreateUser"' "$trail" | head -1)"
must_fail 'the file was changed' "$QHSM" kms trail verify --dir "$cluster"
