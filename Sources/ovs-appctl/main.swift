// ovs-appctl
