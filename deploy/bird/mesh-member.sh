#!/bin/sh
# The tunnel and the kernel settings of a node that is a member of the mesh by BIRD (mesh-member.conf). Run it as root
# before BIRD starts, for example by ExecStartPre= of bird.service, and again when the MTU of the underlay has changed:
# what is right already stays as it is.
set -eu

node=192.168.2.15            # this node's address, as in its Node resource
underlay=eth0                # the interface that has it
tunnel=ipip0                 # as in mesh-member.conf
tunnel_address=10.244.5.0    # the first address of its pod subnet: answers to the node's own packets find it

modprobe ipip || true        # a kernel that has it built in has nothing to load

# A device of its own, not the kernel's tunl0: that one copies the TTL of the packets inside and forbids no fragmentation.
if ! ip link show dev "$tunnel" >/dev/null 2>&1; then
  ip link add name "$tunnel" type ipip local "$node" remote any ttl 64 pmtudisc
fi
# The outer header takes 20 bytes.
ip link set dev "$tunnel" mtu $(($(cat "/sys/class/net/$underlay/mtu") - 20)) up
ip address replace "$tunnel_address/32" dev "$tunnel"

# Pods' packets are forwarded. Loose reverse path filters (2) on both: a pod of another subnet that talks to this node's
# own address arrives plain on the underlay, though the way back to it is the tunnel.
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 2 >"/proc/sys/net/ipv4/conf/$underlay/rp_filter"
echo 2 >"/proc/sys/net/ipv4/conf/$tunnel/rp_filter"
