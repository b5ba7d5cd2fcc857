# The other end of test/esp/scapy.test.ts: reads one JSON list of jobs, opens and seals with scapy's ESP, answers with
# one JSON list. Each job has the algorithms by scapy's names, the keys, an ESP packet of ours and a packet to seal.

import json
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import raw


def association(job, spi, key, auth_key):
    return SecurityAssociation(
        ESP,
        spi=spi,
        seq_num=job["seq"],
        crypt_algo=job["crypt"],
        crypt_key=bytes.fromhex(key),
        crypt_icv_size=job["icv"],
        auth_algo=job["auth"],
        auth_key=bytes.fromhex(auth_key) if job["auth"] else None,
        tunnel_header=IP(src="192.0.2.1", dst="198.51.100.1"),
    )


def answer(job):
    theirs = association(job, job["spiOut"], job["keyOut"], job["authKeyOut"])
    outer = IP(raw(IP(src="192.0.2.1", dst="198.51.100.1", proto=50) / bytes.fromhex(job["esp"])))
    opened = theirs.decrypt(outer)
    ours = association(job, job["spiIn"], job["keyIn"], job["authKeyIn"])
    packet = bytes.fromhex(job["packet"])
    sealed = ours.encrypt((IP if packet[0] >> 4 == 4 else IPv6)(packet))
    return {"opened": raw(opened).hex(), "esp": raw(sealed)[20:].hex()}


def attempt(job):
    try:
        return answer(job)
    except Exception as error:
        return {"error": repr(error)}


json.dump([attempt(job) for job in json.load(sys.stdin)], sys.stdout)
