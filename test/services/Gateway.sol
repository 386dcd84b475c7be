// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// Emits what SocketGateway emits, with any values, and what it never would.
contract Gateway {
    event SocketBridge(
        uint256 amount,
        address token,
        uint256 toChainId,
        bytes32 bridgeName,
        address sender,
        address receiver,
        bytes32 metadata
    );
    event NativeBridgeFee(uint256 fee);

    struct Bridge {
        uint256 amount;
        address token;
        uint256 toChainId;
        bytes32 bridgeName;
        address sender;
        address receiver;
        bytes32 metadata;
    }

    /// One SocketBridge for each, in one transaction.
    function bridge(Bridge[] calldata bridges) external {
        for (uint256 i; i < bridges.length; i++) {
            Bridge calldata b = bridges[i];
            emit SocketBridge(b.amount, b.token, b.toChainId, b.bridgeName, b.sender, b.receiver, b.metadata);
        }
    }

    /// `count` times SocketBridge, with amount and metadata 0, 1, 2 ...
    function bridgeMany(uint256 count) external {
        bytes32 hop = keccak256("Hop");
        for (uint256 i; i < count; i++) {
            emit SocketBridge(i, address(this), 10, hop, msg.sender, msg.sender, bytes32(i));
        }
    }

    /// Another event of the same contract.
    function otherEvent(uint256 fee) external {
        emit NativeBridgeFee(fee);
    }

    /// A log with any one or two topics and any data: what no compiler would emit.
    function rawLog(bytes32[] calldata topics, bytes memory data) external {
        require(topics.length == 1 || topics.length == 2, "one or two topics");
        bytes32 first = topics[0];
        if (topics.length == 1) {
            assembly {
                log1(add(data, 32), mload(data), first)
            }
        } else {
            bytes32 second = topics[1];
            assembly {
                log2(add(data, 32), mload(data), first, second)
            }
        }
    }
}
